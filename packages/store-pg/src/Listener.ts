/** What goes out on commit and comes in on every replica: one channel, named like the schema. */
import { PgClient } from "@effect/sql-pg"
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
const echo = "echo:"

/** What is sent when items were marked. */
export const dirtyPayload = dirty

/** What precedes the node's id when a revision was allotted. */
export const assignedPrefix = assigned

export class Listener extends Context.Service<
  Listener,
  {
    readonly channel: string
    readonly dirtied: Stream.Stream<void>
    readonly assigned: Stream.Stream<string>
    readonly isListening: Effect.Effect<boolean>
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
  const echoes = new Set<string>()
  return {
    echoes,
    hear: (payload: string) => {
      if (payload === dirty) PubSub.publishUnsafe(dirtied, undefined)
      else if (payload.startsWith(assigned)) PubSub.publishUnsafe(nodes, payload.slice(assigned.length))
      else echoes.delete(payload)
    },
    streams: { dirtied: Stream.fromPubSub(dirtied), assigned: Stream.fromPubSub(nodes) }
  }
})

/** Says so when notifications do not come through, as behind a pooler that hands connections out per transaction. */
const checkEcho = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, channel: string, echoes: Set<string>) {
  const mark = `${echo}${crypto.randomUUID()}`
  echoes.add(mark)
  yield* sql`SELECT pg_notify(${channel}, ${mark})`
  yield* pause(echoWithin)
  if (echoes.delete(mark)) {
    yield* Effect.logWarning(
      "LISTEN does not work on this connection: nodes learn of changes only when they look again. " +
        "Give a URL that reaches PostgreSQL itself, not a pooler in transaction mode."
    )
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
          isListening = true
          yield* Effect.forkScoped(Effect.ignore(checkEcho(sql, channel, hub.echoes)))
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
      return Listener.of({ channel, ...hub.streams, isListening: Effect.sync(() => isListening) })
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
      return Listener.of({ channel, ...hub.streams, isListening: Effect.succeed(true) })
    })
  )
