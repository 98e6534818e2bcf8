/** `vpnmgr serve`: the server. */
import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import { ConfigFile } from "../GlobalFlags.ts"
import * as Load from "../settings/Load.ts"

/** Runs the server until it is stopped. */
export const serve = Command.make(
  "serve",
  Load.serverFlags,
  Effect.fn(function* (flags) {
    const { settings } = yield* Load.server(flags)
    const config = Option.getOrNull(yield* ConfigFile)
    const Server = yield* Effect.promise(() => import("../serve/Serve.ts"))
    yield* Server.serve(settings, config)
  })
).pipe(
  Command.withDescription("Run the server; without a database URL it keeps an embedded one in the data directory"),
  Command.withExamples([
    { command: "vpnmgr serve", description: "Embedded database in ./data, on 127.0.0.1:8080" },
    {
      command:
        "VPNMGR_DATABASE_URL_FILE=database.url VPNMGR_ENCRYPTION_KEY_FILE=encryption.key vpnmgr serve --listen '[::]:443' --tls-cert-file cert.pem --tls-key-file key.pem",
      description: "PostgreSQL, open to the network"
    }
  ])
)
