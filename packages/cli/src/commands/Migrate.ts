/** `vpnmgr migrate`: brings the database to the newest form without serving. */
import { Console, Effect, Layer } from "effect"
import { Command, Flag } from "effect/cli"
import { Json } from "../GlobalFlags.ts"
import * as Load from "../settings/Load.ts"

/** Migrates, or prints the SQL. `serve` migrates by itself. */
export const migrate = Command.make(
  "migrate",
  {
    print: Flag.Boolean("print").pipe(
      Flag.withDescription("Print the SQL of all migrations and change nothing"),
      Flag.withoutNegation,
      Flag.withDefault(false)
    ),
    ...Load.serverFlags
  },
  Effect.fn(function* ({ print, ...flags }) {
    const { settings } = yield* Load.server(flags)
    if (print) {
      const { Migrations } = yield* Effect.promise(() => import("@vpnmgr/store-pg"))
      return yield* Console.log(Migrations.print(settings.databaseSchema).trimEnd())
    }
    const [Store, EncryptionKey, DataDirectory] = yield* Effect.promise(() =>
      Promise.all([
        import("../serve/Store.ts"),
        import("../serve/EncryptionKey.ts"),
        import("../serve/DataDirectory.ts")
      ])
    )
    if (settings.databaseUrl === null) {
      yield* DataDirectory.make(settings.dataDirectory)
      yield* DataDirectory.claim(settings.dataDirectory)
    }
    const { key } = yield* EncryptionKey.find(settings)
    yield* Effect.scoped(Layer.build(Store.layer(settings, key)))
    const json = yield* Json
    yield* Console.log(json ? JSON.stringify({ ok: true }) : "The database has the newest form.")
  })
).pipe(
  Command.withDescription("Bring the database to the newest form; serve does so by itself"),
  Command.withExamples([
    { command: "vpnmgr migrate --print", description: "The SQL, for who runs it by hand" },
    { command: "VPNMGR_DATABASE_URL_FILE=database.url VPNMGR_ENCRYPTION_KEY_FILE=encryption.key vpnmgr migrate" }
  ])
)
