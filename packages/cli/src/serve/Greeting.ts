/** What a server says on stdout once it serves; the last line is the one to wait for. */
import * as path from "node:path"
import type { ServerSettings } from "../settings/ServerSettings.ts"

/** What there is to say. */
export interface Facts {
  readonly settings: ServerSettings
  readonly url: string
  /** The settings file that was named; null for none, or the one found by itself. */
  readonly config: string | null
  /** The one-time set-up secret while there is no user; else null. */
  readonly secret: string | null
  /** Where an encryption key was just made; else null. */
  readonly madeKey: string | null
}

const quoted = (text: string): string =>
  /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`

/** How `vpnmgr` is called where this server was started, with what it needs to find the server. */
const command = ({ config, settings }: Facts): string => {
  const program = process.env["npm_execpath"] === undefined && path.basename(process.argv[1] ?? "") === "vpnmgr"
  const named = [
    config === null ? "" : ` --config ${quoted(config)}`,
    settings.dataDirectory === "./data" ? "" : ` --data-directory ${quoted(settings.dataDirectory)}`
  ]
  return `${program ? "vpnmgr" : "npx vpnmgr"}${named.join("")}`
}

/** The greeting, line by line. */
export const greeting = (facts: Facts): string => {
  const { madeKey, secret, settings, url } = facts
  const vpnmgr = command(facts)
  const store = settings.databaseUrl === null ? "embedded database" : `PostgreSQL, schema ${settings.databaseSchema}`
  const first =
    secret === null
      ? []
      : [
          "",
          `There is no user yet. One-time set-up secret: ${secret}`,
          "It makes the first superuser over the network (vpnmgr setup NAME --url URL). On this host, without it:",
          `  ${vpnmgr} user create admin --role superuser`
        ]
  return [
    `API        ${url}`,
    `reference  ${url}/docs`,
    `data       ${path.resolve(settings.dataDirectory)} (${store})`,
    ...(madeKey === null ? [] : [`key        made in ${madeKey}: keep a copy, without it the data cannot be read`]),
    ...first,
    "",
    "While this runs, in another terminal:",
    `  ${vpnmgr} status`,
    `  ${vpnmgr} node create --description first`,
    `  ${vpnmgr} --help`,
    "",
    `vpnmgr is ready: ${url}`
  ].join("\n")
}
