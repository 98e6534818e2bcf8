/** Tokens that `vpnmgr login` keeps for its user, by server, in a file of mode 600. */
import { Effect, Redacted, Schema } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { failed } from "../Failed.ts"

const Tokens = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

const file = (): string =>
  path.join(process.env["XDG_CONFIG_HOME"] ?? path.join(os.homedir(), ".config"), "vpnmgr", "sessions.json")

const readAll = Effect.suspend(() =>
  fs.existsSync(file())
    ? Schema.decodeEffect(Tokens)(fs.readFileSync(file(), "utf8")).pipe(
        Effect.mapError(() => failed(`${file()} is damaged: remove it and sign in again`))
      )
    : Effect.succeed<Readonly<Record<string, string>>>({})
)

const writeAll = (tokens: Readonly<Record<string, string>>) =>
  Effect.try({
    try: () => {
      fs.mkdirSync(path.dirname(file()), { recursive: true, mode: 0o700 })
      fs.writeFileSync(`${file()}.new`, JSON.stringify(tokens), { mode: 0o600 })
      fs.renameSync(`${file()}.new`, file())
    },
    catch: (error) => failed(`${file()} cannot be written: ${error instanceof Error ? error.message : ""}`)
  })

/** The token kept for a server; null for none. */
export const tokenFor = (url: string) =>
  Effect.map(readAll, (tokens) => (tokens[url] === undefined ? null : Redacted.make(tokens[url])))

/** Keeps a token for a server, in place of an older one. */
export const keep = (url: string, token: string) =>
  Effect.flatMap(readAll, (tokens) => writeAll({ ...tokens, [url]: token }))

/** Forgets the token for a server. */
export const forget = (url: string) => Effect.flatMap(readAll, ({ [url]: _, ...others }) => writeAll(others))
