/** What goes out on commit and comes in on every replica: one channel, named like the schema. */
import { PgClient } from "@effect/sql-pg"
import type { NodeStateStore } from "@vpnmgr/core"
import { Context, Effect, Layer, PubSub, Queue, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"

/** Notifications kept for a slow subscriber; whoever waits also looks again. */
const kept = 10_000

/** How long a listener that lost its connection waits before it tries again, and how long its own echo may take. */
const reconnectAfter = 500
const echoWithin = 5_000

const dirty = "dirty"
const assigned = "assigned:"
const changed = "changed:"
const echo = "echo:"

/** What is sent when items were marked. */
export const dirtyPayload = dirty

/** What precedes the node's id when a revision was allotted. */
export const assignedPrefix = assigned

/** Ids in one notification, which holds 8,000 bytes. */
const idsAtOnce = 200

/** What is sent of a change: its kind, and for ids as many notifications as it takes. */
export const payloadsOf = (what: NodeStateStore.Changed): ReadonlyArray<string> =>
  what.kind === "everything"
    ? [changed]
    : Array.from(
        { length: Math.ceil(what.ids.length / idsAtOnce) },
        (_, n) => `${changed}${what.kind}:${what.ids.slice(n * idsAtOnce, (n + 1) * idsAtOnce).join(",")}`
      )

const changedOf = (text: string): NodeStateStore.Changed => {
  const [kind, ids = ""] = text.split(":")
  return kind === "subscription" || kind === "owner" ? { kind, ids: ids.split(",") } : { kind: "everything" }
}

export class Listener extends Context.Service<
  Listener,
  {
    readonly channel: string
    readonly dirtied: Stream.Stream<void>
    readonly assigned: Stream.Stream<string>
    readonly hearChanges: NodeStateStore.NodeStateStore["Service"]["hearChanges"]
    /** Tells whoever hears in this process. */
    readonly tell: (what: NodeStateStore.Changed) => void
    readonly isListening: () => boolean
  }
>()("@vpnmgr/store-pg/Listener") {}

/** The machine's own clock: a lost connection does not wait for a test's. */
const pause = (millis: number) =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

const makeHub = Effect.gen(function* () {
  const dirtied = yield* PubSub.sliding<void>(1)
  const nodes = yield* PubSub.sliding<string>(kept)
  const hearers = new Set<(what: NodeStateStore.Changed) => void>()
  const tell = (what: NodeStateStore.Changed) => hearers.forEach((hear) => hear(what))
  const hearChanges = (hear: (what: NodeStateStore.Changed) => void) =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => hearers.add(hear)),
        () => Effect.sync(() => hearers.delete(hear))
      )
    )
  const echoes = new Map<string, () => void>()
  return {
    echoes,
    hear: (payload: string) => {
      if (payload === dirty) PubSub.publishUnsafe(dirtied, undefined)
      else if (payload.startsWith(assigned)) PubSub.publishUnsafe(nodes, payload.slice(assigned.length))
      else if (payload.startsWith(changed)) tell(changedOf(payload.slice(changed.length)))
      else echoes.get(payload)?.()
    },
    heard: { dirtied: Stream.fromPubSub(dirtied), assigned: Stream.fromPubSub(nodes), hearChanges, tell }
  }
})

const deafness =
  "LISTEN does not work on this connection: nodes learn of changes only when they look again, and no config is kept. " +
  "Set database_listen_url to a URL that reaches PostgreSQL itself, not a pooler in transaction mode."

/**
 * Waits until a notification comes through and calls `heard`; says so when none does, as behind a pooler that hands
 * connections out per transaction, and goes on trying.
 */
const awaitEcho = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  channel: string,
  echoes: Map<string, () => void>,
  heard: () => void
) {
  for (let tries = 0; ; tries++) {
    const mark = `${echo}${crypto.randomUUID()}`
    let isHeard = false
    echoes.set(mark, () => {
      isHeard = true
      heard()
    })
    yield* Effect.ignore(sql`SELECT pg_notify(${channel}, ${mark})`)
    yield* pause(echoWithin)
    echoes.delete(mark)
    if (isHeard) return
    if (tries === 0) yield* Effect.logWarning(deafness)
  }
})

/** Listens on a connection of its own, for as long as the layer lives; reconnects. */
export const layerPg = (
  config: PgClient.PgClientConfig,
  channel: string
): Layer.Layer<Listener, never, SqlClient.SqlClient> =>
  Layer.effect(
    Listener,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const hub = yield* makeHub
      let isListening = false

      const once = Effect.scoped(
        Effect.gen(function* () {
          const client = yield* PgClient.makeClient({ ...config, applicationName: "vpnmgr-listener" })
          const queue = yield* client.listen(channel)
          yield* Effect.forkScoped(awaitEcho(sql, channel, hub.echoes, () => (isListening = true)))
          for (;;) hub.hear((yield* Queue.take(queue)).payload)
        })
      ).pipe(Effect.ensuring(Effect.sync(() => (isListening = false))))

      yield* once.pipe(
        Effect.catchCause((cause) =>
          Effect.andThen(Effect.logWarning("the change listener lost its connection", cause), pause(reconnectAfter))
        ),
        Effect.forever,
        Effect.forkScoped
      )
      return Listener.of({ channel, ...hub.heard, isListening: () => isListening })
    })
  ).pipe(Layer.provide(Reactivity.layer))

/** Hears what a source in this process calls back with. */
export const layerOf = <E, R>(
  channel: string,
  subscribe: (hear: (payload: string) => void) => Effect.Effect<void, E, R>
): Layer.Layer<Listener, E, R> =>
  Layer.effect(
    Listener,
    Effect.gen(function* () {
      const hub = yield* makeHub
      yield* subscribe(hub.hear)
      return Listener.of({ channel, ...hub.heard, isListening: () => true })
    })
  )

/** Hears nothing but what this process tells itself, and says so: for a way on which LISTEN is of no use. */
export const layerDeaf = (channel: string): Layer.Layer<Listener> =>
  Layer.effect(
    Listener,
    Effect.gen(function* () {
      const hub = yield* makeHub
      yield* Effect.logWarning(deafness)
      return Listener.of({ channel, ...hub.heard, isListening: () => false })
    })
  )
