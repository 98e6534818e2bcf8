/** Reads the settings for a command: its flags, the environment, the file. */
import { Effect, Option } from "effect"
import { Flag } from "effect/cli"
import { DataDirectory, ServerUrl, settingsFile } from "../GlobalFlags.ts"
import * as Agent from "./AgentSettings.ts"
import type { Definitions } from "./Definition.ts"
import { flagOf } from "./Definition.ts"
import * as Server from "./ServerSettings.ts"
import { read } from "./Sources.ts"

type Flags = Readonly<Record<string, Option.Option<string>>>

/** Makes a flag of every setting that is neither secret nor a flag of all commands. */
const flagsOf = (
  definitions: Definitions,
  except: ReadonlyArray<string>
): Record<string, Flag.Flag<Option.Option<string>>> =>
  Object.fromEntries(
    Object.entries(definitions)
      .filter(([key, { secret }]) => secret !== true && !except.includes(key))
      .map(([key, { meaning, metavar, standard }]) => [
        key,
        Flag.String(flagOf(key)).pipe(
          Flag.withMetavar(metavar ?? "text"),
          Flag.withDescription(standard === null ? meaning : `${meaning} Default: ${standard}`),
          Flag.optional
        )
      ])
  )

/** The server's settings as flags. */
export const serverFlags = flagsOf(Server.definitions, ["dataDirectory"])

/** The agent's settings as flags; its directory is `--directory`, its server `--url`. */
export const agentFlags = {
  ...flagsOf(Agent.definitions, ["agentDirectory", "url"]),
  agentDirectory: Flag.String("directory").pipe(
    Flag.withMetavar("directory"),
    Flag.withDescription(`${Agent.definitions.agentDirectory.meaning} Default: ./agent (VPNMGR_AGENT_DIRECTORY)`),
    Flag.optional
  )
}

/** Reads the server's settings and where each was found. */
export const server = Effect.fn("Settings.server")(function* (flags: Flags) {
  return yield* read(Server.ServerSettings, Server.definitions, {
    flags: { ...flags, dataDirectory: yield* DataDirectory },
    environment: process.env,
    file: yield* settingsFile
  })
})

/** Reads the agent's settings. `keyFile` is `--key-file`, which wins over the environment. */
export const agent = Effect.fn("Settings.agent")(function* (flags: Flags, keyFile: Option.Option<string>) {
  const { VPNMGR_NODE_KEY: _, ...others } = process.env
  const environment = Option.isSome(keyFile) ? { ...others, VPNMGR_NODE_KEY_FILE: keyFile.value } : process.env
  const { settings } = yield* read(Agent.AgentSettings, Agent.definitions, {
    flags: { ...flags, url: yield* ServerUrl },
    environment,
    file: null
  })
  return settings
})
