import { assert, describe, it, layer } from "@effect/vitest"
import { NodeStates } from "@vpnmgr/core"
import { Effect, Fiber, Layer } from "effect"
import { LongPolls } from "../src/LongPolls.ts"
import { Policy } from "../src/Policy.ts"
import * as Server from "./Server.ts"

const { ask } = Server

const bounded = LongPolls.layer.pipe(
  Layer.provide(
    Layer.effect(
      Policy,
      Effect.map(Policy, (policy) => ({ ...policy, polls: 3, pollsOfNode: 2 }))
    )
  )
)

const begin = Effect.fnUntraced(function* (nodeId: string) {
  const polls = yield* LongPolls
  const fiber = yield* Effect.forkChild(polls.wait(nodeId, Effect.never), { startImmediately: true })
  const refusal = fiber.pollUnsafe() === undefined ? null : yield* Effect.flip(Fiber.join(fiber))
  return { fiber, refusal: refusal?.detail ?? null }
})

describe("LongPolls", () => {
  it.effect("bounds the polls of one node, and all of them", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* begin("a"), yield* begin("a")]
      assert.deepStrictEqual([one.refusal, two.refusal], [null, null])
      assert.include((yield* begin("a")).refusal, "of this node")
      const third = yield* begin("b")
      assert.isNull(third.refusal)
      assert.strictEqual((yield* begin("b")).refusal, "Too many polls wait already")
      yield* Fiber.interrupt(one.fiber)
      assert.isNull((yield* begin("a")).refusal)
      assert.isNotNull((yield* begin("c")).refusal)
      yield* Fiber.interrupt(two.fiber)
      assert.isNull((yield* begin("c")).refusal)
    }).pipe(Effect.provide(bounded))
  )

  it.effect("ends every poll, and those to come, when the server stops", () =>
    Effect.gen(function* () {
      const polls = yield* LongPolls
      const { fiber } = yield* begin("a")
      yield* polls.stop
      assert.isNull(yield* Fiber.join(fiber))
      assert.isNull(yield* polls.wait("a", Effect.never))
      assert.isTrue(yield* polls.isStopping)
    }).pipe(Effect.provide(bounded))
  )
})

const slow = Layer.succeed(NodeStates.NodeStates, {
  poll: () => Effect.as(Effect.sleep("700 millis"), null)
})

layer(Server.layer({ local: false }, slow, { pollsOfNode: 2, polls: 5 }), { excludeTestServices: true })(
  "Polls of a node",
  (it) => {
    it.effect("are bounded whether they wait or not", () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        const node = yield* ask("POST /api/v1/nodes", { token, body: {} })
        const { json } = yield* ask(`POST /api/v1/nodes/${node.json["id"]}/tokens`, { token })
        const agent = { token: json["key"] as string, headers: { "vpnmgr-protocol": "1.0" } }
        for (const query of ["", "?wait=0", "?wait=5"]) {
          const answers = yield* Effect.replicateEffect(ask(`GET /node/v1/state${query}`, agent), 4, {
            concurrency: "unbounded"
          })
          const statuses = answers.map(({ status }) => status).sort()
          assert.deepStrictEqual(statuses, [204, 204, 429, 429], query)
        }
      })
    )
  }
)
