/** A process with an embedded store: says when it is ready, then the number of every write that was acknowledged. */
import { SettingStore, Vault } from "@vpnmgr/core"
import { Effect, Layer, Redacted } from "effect"
import * as PgliteStores from "../src/PgliteStores.ts"

const directory = process.argv[2]!
const say = (text: string) => Effect.sync(() => process.stdout.write(`${text}\n`))

const program = Effect.gen(function* () {
  const settings = yield* SettingStore.SettingStore
  yield* say("ready")
  for (let count = 1; ; count++) {
    yield* settings.set(`written.${count}`, "x")
    yield* say(`written ${count}`)
  }
})

const layer = PgliteStores.layer({ directory }).pipe(
  Layer.provide(Vault.Vault.layer(Redacted.make(new Uint8Array(32).fill(7))))
)
await Effect.runPromise(
  program.pipe(
    Effect.provide(layer),
    Effect.catch((error) => say(`refused ${"detail" in error ? error.detail : error._tag}`))
  )
)
