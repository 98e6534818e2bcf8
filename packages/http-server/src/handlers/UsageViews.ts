/** Usage as answers show it, over a span that is bounded. */
import { Problem, Usage as Contract } from "@vpnmgr/api"
import { Instant, Quota, type Usage } from "@vpnmgr/core"
import { Effect } from "effect"

const day = 86_400_000

const tooMany = `Expected a span with at most ${Contract.mostPieces} pieces: ask for fewer days, or by hour, day, inbound or node`

/** Refuses more pieces than fit in one answer. */
export const bounded = (pieces: ReadonlyArray<Counted>) =>
  pieces.length > Contract.mostPieces
    ? Effect.fail(new Problem.Invalid({ detail: tooMany, errors: [{ field: "from", detail: tooMany }] }))
    : Effect.succeed(pieces)

interface Asked {
  readonly by?: string | undefined
  readonly from?: Instant.Instant | undefined
  readonly to?: Instant.Instant | undefined
}

/** The span that is asked for: the last seven days when nobody says otherwise; at most so many days. */
export const span = Effect.fnUntraced(function* ({ by, ...asked }: Asked) {
  const to = asked.to ?? (yield* Instant.now)
  const from = asked.from ?? to - 7 * day
  const most = by === undefined || by === "hour" ? Contract.fineDays : Contract.coarseDays
  const field = to < from ? "to" : "from"
  const detail = to < from ? "Expected an instant after from" : `Expected at most ${most} days before to`
  if (to < from || to - from > most * day)
    return yield* Effect.fail(new Problem.Invalid({ detail, errors: [{ field, detail }] }))
  return { from, to }
})

/** What was counted, of whatever it is divided by. */
export interface Counted extends Usage.Amount {
  readonly at?: Instant.Instant | null
  readonly inboundId?: string | null
  readonly nodeId?: string | null
}

/** A row of usage: summed exactly, rounded up once. */
export const row = ({
  at = null,
  inboundId = null,
  nodeId = null,
  up,
  down,
  weighted
}: Counted): Contract.UsageRow => ({
  at,
  inboundId,
  nodeId,
  bytesUp: up,
  bytesDown: down,
  usedBytes: Quota.bytes(weighted)
})
