import { assert, layer } from "@effect/vitest"
import { Subscriptions } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import * as Server from "./Server.ts"

const { ask } = Server

const random = Server.layer({ local: false }).pipe(Layer.provide(Layer.succeed(Subscriptions.RandomLinks, true)))

layer(random, { excludeTestServices: true })("With random links", (it) => {
  it.effect("a new subscription's link is not its id, and its id leads nowhere", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const made = yield* ask("POST /api/v1/subscriptions", { token, body: {} })
      assert.match(made.json["config_path"] as string, /^\/s\/[A-Za-z0-9_-]{32}$/)
      assert.strictEqual((yield* ask(`GET ${made.json["config_path"]}`)).status, 200)
      assert.strictEqual((yield* ask(`GET /s/${made.json["id"]}`)).status, 404)
      const again = yield* ask("POST /api/v1/subscriptions", { token, body: {} })
      assert.notStrictEqual(again.json["config_path"], made.json["config_path"])
    })
  )
})
