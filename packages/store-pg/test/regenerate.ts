/** Writes `schema.sql` anew: `npm run regenerate -w @vpnmgr/store-pg`. */
import { Vault } from "@vpnmgr/core"
import { Effect, Layer, Redacted } from "effect"
import { writeFile } from "node:fs/promises"
import { defaultSchema } from "../src/Migrations.ts"
import * as PgliteStores from "../src/PgliteStores.ts"
import * as Setup from "../src/Setup.ts"
import { describeSchema } from "./Catalog.ts"

const text = await Effect.runPromise(
  describeSchema.pipe(
    Effect.provide(Setup.layer(defaultSchema).pipe(Layer.provideMerge(PgliteStores.layerClient({ memory: true })))),
    Effect.provide(Vault.Vault.layer(Redacted.make(new Uint8Array(32))))
  )
)
await writeFile(new URL("../schema.sql", import.meta.url), text)
