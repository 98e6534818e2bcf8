/** The key that secrets are encrypted with at rest: from the settings, or a file beside the embedded database. */
import { Effect, Schema } from "effect"
import type { Redacted } from "effect"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { failed } from "../Failed.ts"
import type { ServerSettings } from "../settings/ServerSettings.ts"
import { Key } from "../settings/Value.ts"

/** Makes a key: 32 random bytes in base64. */
export const makeKey = (): string => randomBytes(32).toString("base64")

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Writes a key to a new file of mode 600 that survives a crash; refuses to replace one. */
export const writeKey = (file: string, key: string) =>
  Effect.try({
    try: () => {
      const handle = fs.openSync(file, "wx", 0o600)
      try {
        fs.writeSync(handle, `${key}\n`)
        fs.fsyncSync(handle)
      } finally {
        fs.closeSync(handle)
      }
    },
    catch: (error) => failed(`the key cannot be written: ${reason(error)}`)
  })

const readKey = (file: string) =>
  Effect.try({
    try: () => {
      if ((fs.statSync(file).mode & 0o077) !== 0) throw new Error(`${file} can be read by others: chmod 600 ${file}`)
      return fs.readFileSync(file, "utf8")
    },
    catch: (error) => failed(`the encryption key cannot be used: ${reason(error)}`)
  }).pipe(
    Effect.flatMap((text) =>
      Effect.mapError(Schema.decodeUnknownEffect(Key)(text), () => failed(`${file} does not hold 32 bytes in base64`))
    )
  )

/** The key, and the file it was just made in; null when it was there before. */
export interface Found {
  readonly key: Redacted.Redacted<Uint8Array>
  readonly madeIn: string | null
}

/** Finds the key; makes one for an embedded database that has none. */
export const find = Effect.fn("EncryptionKey.find")(function* (
  settings: Pick<ServerSettings, "dataDirectory" | "encryptionKey">
) {
  if (settings.encryptionKey !== null) return { key: settings.encryptionKey, madeIn: null } satisfies Found
  const file = path.join(settings.dataDirectory, "encryption.key")
  if (fs.existsSync(file)) return { key: yield* readKey(file), madeIn: null } satisfies Found
  if (fs.existsSync(path.join(settings.dataDirectory, "pgdata")))
    return yield* failed(`${file} is missing, and the database there opens with no other key: bring back its copy`)
  yield* writeKey(file, makeKey())
  return { key: yield* readKey(file), madeIn: file } satisfies Found
})
