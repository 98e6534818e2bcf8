/** Flags that every command takes, wherever they stand in the line. */
import { Effect, Option } from "effect"
import { Flag, GlobalFlag } from "effect/cli"
import * as fs from "node:fs"

/** Print the API's JSON instead of a table. */
export const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the API's JSON, for programs"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  )
})

/** The settings file. */
export const ConfigFile = GlobalFlag.Setting("config")({
  flag: Flag.String("config").pipe(
    Flag.withMetavar("file"),
    Flag.withDescription("Settings file; VPNMGR_CONFIG, or ./vpnmgr.toml where there is one"),
    Flag.optional
  )
})

/** The server's data directory: the commands find its socket there. */
export const DataDirectory = GlobalFlag.Setting("data-directory")({
  flag: Flag.String("data-directory").pipe(
    Flag.withMetavar("directory"),
    Flag.withDescription("The server's data directory, ./data by default: its socket is there"),
    Flag.optional
  )
})

/** A server to speak to over the network. */
export const ServerUrl = GlobalFlag.Setting("url")({
  flag: Flag.String("url").pipe(
    Flag.withMetavar("url"),
    Flag.withDescription("A server to speak to over the network, after `vpnmgr login`; VPNMGR_URL"),
    Flag.optional
  )
})

/** A file with a token for that server. */
export const TokenFile = GlobalFlag.Setting("token-file")({
  flag: Flag.String("token-file").pipe(
    Flag.withMetavar("file"),
    Flag.withDescription("A file with a token for --url; VPNMGR_TOKEN or VPNMGR_TOKEN_FILE"),
    Flag.optional
  )
})

/** The operator in whose name a superuser asks. */
export const ActFor = GlobalFlag.Setting("act-for")({
  flag: Flag.String("act-for").pipe(
    Flag.withMetavar("user"),
    Flag.withDescription("Ask in an operator's name, by its name or id: for superusers; the audit trail names both"),
    Flag.optional
  )
})

/** All of them, for the root command. */
export const all = [Json, ActFor, ConfigFile, DataDirectory, ServerUrl, TokenFile] as const

/** The settings file to read: the flag's, `VPNMGR_CONFIG`'s, `./vpnmgr.toml`, or none. */
export const settingsFile = Effect.map(ConfigFile, (flag) =>
  Option.getOrElse(flag, () => process.env["VPNMGR_CONFIG"] ?? (fs.existsSync("vpnmgr.toml") ? "vpnmgr.toml" : null))
)
