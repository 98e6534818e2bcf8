import { assert, layer } from "@effect/vitest"
import { ConfigDelivery, NodeStateStore, SettingStore, Transaction } from "@vpnmgr/core"
import { Jobs } from "@vpnmgr/http-server"
import { Effect, Exit, Layer, Stream } from "effect"
import * as Server from "./Server.ts"

const { ask } = Server

const away = new Transaction.StoreError({
  reason: new Transaction.StoreUnavailable({ detail: "connection refused by 10.0.0.9:5432 after select 1" })
})

const undecided = new Transaction.StoreError({ reason: new Transaction.Undecided({ detail: "lost at COMMIT" }) })

/** What becomes of the look that readiness takes. */
const look = { failure: away }

const broken = Layer.mergeAll(
  Layer.effect(
    SettingStore.SettingStore,
    Effect.map(SettingStore.SettingStore, (store) => ({
      ...store,
      generation: Effect.suspend(() => Effect.fail(look.failure))
    }))
  ),
  Layer.succeed(ConfigDelivery.ConfigDelivery, {
    fetch: () => Effect.fail(away),
    kept: () => undefined,
    look: (link, answer) =>
      answer(link === "dies" ? Exit.die(new Error("a defect at /srv/app.js:1")) : Exit.fail(away)),
    show: () => Effect.fail(away)
  })
)

layer(Server.layer({ local: false }, broken), { excludeTestServices: true })("While the store is away", (it) => {
  it.effect("answers 503 with when to ask again, and nothing of the cause", () =>
    Effect.gen(function* () {
      for (const path of ["/health/ready", "/s/any"]) {
        const { status, headers, json, text } = yield* ask(`GET ${path}`)
        assert.deepStrictEqual([status, json["code"], headers.get("retry-after")], [503, "unavailable", "2"])
        assert.notMatch(text, /10\.0\.0\.9|select/)
      }
      assert.strictEqual((yield* ask("GET /health/live")).status, 200)
    })
  )

  it.effect("says that nothing was changed, unless nobody knows", () =>
    Effect.gen(function* () {
      const known = (yield* ask("GET /health/ready")).json["detail"]
      look.failure = undecided
      const unknown = (yield* ask("GET /health/ready")).json["detail"]
      look.failure = away
      assert.match(String(known), /nothing was changed/)
      assert.notMatch(String(unknown), /nothing was changed/)
      assert.match(String(unknown), /it stands whole or not at all.*Idempotency-Key/)
    })
  )

  it.effect("answers a defect with 500, and logs it without the link", () =>
    Effect.gen(function* () {
      const { status, json, text } = yield* ask("GET /s/dies")
      assert.deepStrictEqual([status, json["code"]], [500, "internal"])
      assert.notInclude(text, "app.js")
      const { lines } = yield* Server.Log
      assert.isTrue(lines.some((line) => line.includes("a defect at")))
      assert.isFalse(lines.some((line) => line.includes("/s/dies")))
    })
  )

  it.effect(
    "tries jobs again that failed",
    () =>
      Effect.gen(function* () {
        let rounds = 0
        const failing = {
          dirtied: Stream.never,
          assign: Effect.suspend(() => {
            rounds++
            return rounds === 1 ? Effect.fail(away) : rounds === 2 ? Effect.die("broken") : Effect.succeed([])
          })
        } as unknown as NodeStateStore.NodeStateStore["Service"]
        const jobs = Layer.fresh(Jobs.assigner).pipe(
          Layer.provide(Layer.succeed(NodeStateStore.NodeStateStore, failing))
        )
        yield* Effect.provide(Effect.sleep("3500 millis"), jobs)
        assert.isAtLeast(rounds, 3)
      }),
    10_000
  )
})
