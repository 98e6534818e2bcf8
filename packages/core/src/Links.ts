/** Which inbounds a subscription may use: links, judged and changed, one subscription's or one inbound's. */
import { Effect } from "effect"
import { Actor } from "./Actor.ts"
import * as Audit from "./Audit.ts"
import { BucketStore } from "./BucketStore.ts"
import { Invalid, NotFound } from "./Failure.ts"
import * as Instant from "./Instant.ts"
import { InventoryStore } from "./InventoryStore.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import type { Subscription } from "./Subscription.ts"
import { SubscriptionStore } from "./SubscriptionStore.ts"

/** Inbounds that one subscription is linked to, at most. */
export const most = 1000

/**
 * Fails unless the actor may make these the links of a subscription that has `before`: an operator adds active ones only.
 * `field` is the wire name to blame.
 */
export const check = Effect.fnUntraced(function* (
  inboundIds: ReadonlyArray<string>,
  before: ReadonlyArray<string>,
  field = "inbound_ids"
): Effect.fn.Return<void, Invalid | Effect.Error<Found>, Actor | InventoryStore> {
  const actor = yield* Actor
  const found = new Map(
    (yield* (yield* InventoryStore).holdInbounds(inboundIds)).map((inbound) => [inbound.id, inbound])
  )
  const unknown = inboundIds.find((id) => !found.has(id))
  if (unknown !== undefined) return yield* new Invalid({ field, detail: `There is no inbound ${unknown}` })
  const inactive = inboundIds.find((id) => !found.get(id)!.isActive && !before.includes(id))
  if (inactive !== undefined && actor.role !== "superuser")
    return yield* new Invalid({ field, detail: `The inbound ${inactive} is not active` })
  if (new Set(inboundIds).size > most) return yield* new Invalid({ field, detail: `Expected at most ${most} inbounds` })
})

type Found = ReturnType<InventoryStore["Service"]["holdInbounds"]>

/** Subscriptions to link to an inbound, and to unlink from it. */
export interface Change {
  readonly link: ReadonlyArray<string>
  readonly unlink: ReadonlyArray<string>
}

/** Those of the subscriptions that the actor knows; one that it does not is not found. */
const known = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
  const actor = yield* Actor
  const found = new Map((yield* (yield* SubscriptionStore).byIds(ids)).map((each) => [each.id, each]))
  for (const id of ids) {
    const each = found.get(id)
    if (each === undefined || (actor.role !== "superuser" && each.ownerId !== actor.id))
      return yield* new NotFound({ noun: "subscription", id })
  }
  return found as ReadonlyMap<string, Subscription>
})

/**
 * Links an inbound to subscriptions and unlinks it from others: all or nothing, in a fixed number of statements. Runs
 * inside the caller's transaction; answers what was not so before.
 */
export const change = Effect.fn("Links.change")(function* (inboundId: string, asked: Change) {
  const inventory = yield* InventoryStore
  const missing = new NotFound({ noun: "inbound", id: inboundId })
  if ((yield* inventory.inbounds([inboundId])).length === 0) return yield* missing
  const both = asked.link.find((id) => asked.unlink.includes(id))
  if (both !== undefined) return yield* new Invalid({ field: "unlink", detail: `Linked and unlinked at once: ${both}` })
  const ids = [...new Set([...asked.link, ...asked.unlink])]
  if (ids.length === 0) return { link: [], unlink: [] }
  yield* known(ids)
  yield* (yield* BucketStore).lock(ids.map((id) => ({ kind: "subscription", id })))
  const [inbound] = yield* inventory.holdInbounds([inboundId])
  if (inbound === undefined) return yield* missing
  if (asked.link.length > 0 && !inbound.isActive && (yield* Actor).role !== "superuser")
    return yield* new Invalid({ field: "link", detail: "The inbound is not active" })
  const before = yield* known(ids)
  const isLinked = (id: string) => before.get(id)!.inboundIds.includes(inboundId)
  const made: Change = {
    link: [...new Set(asked.link)].filter((id) => !isLinked(id)),
    unlink: [...new Set(asked.unlink)].filter(isLinked)
  }
  const full = made.link.find((id) => before.get(id)!.inboundIds.length >= most)
  if (full !== undefined)
    return yield* new Invalid({ field: "link", detail: `The subscription ${full} has ${most} inbounds already` })
  const changed = [...made.link, ...made.unlink]
  if (changed.length === 0) return made
  yield* (yield* SubscriptionStore).linkInbound(inboundId, made, yield* Instant.now)
  yield* (yield* NodeStateStore).markSubscriptions(changed)
  yield* Audit.recordAll(
    changed.map((id) => {
      const { inboundIds } = before.get(id)!
      const isNew = !isLinked(id)
      const after = isNew ? [...inboundIds, inboundId].sort() : inboundIds.filter((each) => each !== inboundId)
      return {
        action: isNew ? "subscription.link" : "subscription.unlink",
        targetType: "subscription",
        targetId: id,
        meta: Audit.difference({ inbound_ids: [...inboundIds] }, { inbound_ids: after })
      }
    })
  )
  return made
})
