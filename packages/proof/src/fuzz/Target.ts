/** What is fuzzed: a server of its own on a database of its own, set up, with the first superuser signed in. */
import { randomBytes } from "node:crypto"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import * as Api from "../Api.ts"
import { cliMain } from "../Arena.ts"
import * as Database from "../Database.ts"
import * as Server from "../Server.ts"

export interface Target {
  readonly directory: string
  readonly database: Database.Database
  readonly server: Server.Server
  readonly api: Api.Api
  /** The first superuser's. */
  readonly token: string
  /** Signs the first superuser in anew; answers the token. */
  readonly signIn: () => Promise<string>
  readonly password: string
  readonly encryptionKey: string
  readonly close: () => Promise<void>
}

export const username = "root"

export interface Options {
  /** Further settings of the server. */
  readonly env?: Readonly<Record<string, string>>
  /** Further settings of PostgreSQL. */
  readonly postgres?: Readonly<Record<string, string>>
}

/** Starts both. */
export const open = async (directory: string, name: string, options: Options = {}): Promise<Target> => {
  const { env = {}, postgres = {} } = options
  const home = join(directory, name)
  await mkdir(home, { recursive: true })
  const database = await Database.start({ durable: false, settings: postgres })
  const encryptionKey = randomBytes(32).toString("base64")
  const password = randomBytes(15).toString("base64url")
  const server = await Server.make({ main: cliMain, databaseUrl: database.url, encryptionKey, directory: home, env })
  const api = Api.make(server.url)
  const close = async () => {
    await server.stop()
    await database.close()
  }
  const signIn = async () => {
    const { token } = await api.request<{ readonly token: string }>("POST", "/session", { username, password })
    await api.signIn(username, password)
    return token
  }
  try {
    await server.start()
    await api.request("POST", "/setup", { secret: await server.setupSecret(), username, password })
    return { directory: home, database, server, api, token: await signIn(), signIn, password, encryptionKey, close }
  } catch (cause) {
    await close().catch(() => undefined)
    throw cause
  }
}
