/**
 * How settings are written: text from a flag, the environment or a secret's file, or a TOML value. Each codec says in
 * words what it expects, and never repeats what it was given: that may be a secret.
 */
import { Effect, Redacted, Schema, SchemaGetter, SchemaIssue } from "effect"

/** Makes a codec from what a person writes to a value; `parse` answers `undefined` for what it does not understand. */
const written = <S extends Schema.Constraint>(
  target: S,
  expected: string,
  parse: (raw: unknown) => S["Encoded"] | undefined,
  show: (value: S["Encoded"]) => unknown
) =>
  Schema.Unknown.pipe(
    Schema.decodeTo(target, {
      decode: SchemaGetter.transformEffect((raw: unknown) => {
        const value = parse(raw)
        return value === undefined
          ? Effect.fail(new SchemaIssue.InvalidValue({ message: `expected ${expected}` }))
          : Effect.succeed(value)
      }),
      encode: SchemaGetter.transform(show)
    })
  )

const text = (raw: unknown): string | undefined =>
  typeof raw === "string" && raw.trim() !== "" ? raw.trim() : undefined

/** Any text that is not empty. */
export const Text = written(Schema.String, "some text", text, (value) => value)

/** A name PostgreSQL takes without quotes. */
export const Identifier = written(
  Schema.String,
  "a lower-case name of letters, digits and _, at most 63",
  (raw) => (/^[a-z_][a-z0-9_]{0,62}$/.test(text(raw) ?? "") ? text(raw) : undefined),
  (value) => value
)

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads `90`, `90s`, `500ms`, `10m`, `1h`, `30d`: a bare number is seconds. */
const span = (raw: unknown): number | undefined => {
  const [, digits, unit] = /^(\d{1,12})(ms|s|m|h|d)?$/.exec(String(raw)) ?? []
  return digits === undefined ? undefined : Number(digits) * (units[unit ?? "s"] ?? 1000)
}

/** Writes milliseconds in the largest unit that divides them. */
export const showSpan = (millis: number): string => {
  const [unit, length] = Object.entries(units).findLast(([, length]) => millis % length === 0 && millis >= length) ?? [
    "ms",
    1
  ]
  return `${millis / length}${unit}`
}

/** A length of time, milliseconds; at least `least`. */
export const Span = (least: number) =>
  written(
    Schema.Number,
    `a length of time of at least ${showSpan(least)}, such as 90s, 10m, 1h or 30d (a bare number is seconds)`,
    (raw) => {
      const value = span(raw)
      return value !== undefined && value >= least ? value : undefined
    },
    showSpan
  )

/** A whole number within bounds. */
export const Whole = (least: number, most: number) =>
  written(
    Schema.Number,
    `a whole number from ${least} to ${most}`,
    (raw) => (/^\d{1,9}$/.test(String(raw)) && Number(raw) >= least && Number(raw) <= most ? Number(raw) : undefined),
    (value) => value
  )

/** One of a few words. */
export const OneOf = <const Words extends ReadonlyArray<string>>(words: Words) =>
  written(
    Schema.Literals(words),
    `one of ${words.join(", ")}`,
    (raw) => words.find((word) => word === raw),
    (value) => value
  )

/** Names separated by commas, or a TOML array of them. */
export const List = written(
  Schema.Array(Schema.String),
  "a list separated by commas",
  (raw) => {
    const parts: ReadonlyArray<unknown> = Array.isArray(raw)
      ? raw
      : typeof raw === "string"
        ? raw.split(",")
        : [undefined]
    const names = parts.map(text)
    return names.every((name) => name !== undefined) ? names : undefined
  },
  (names) => names
)

/** An address to listen on: `127.0.0.1:8080`, `[::1]:8080`; port 0 takes a free one. */
export const Address = written(
  Schema.Struct({ host: Schema.String, port: Schema.Number }),
  "an address and a port, such as 127.0.0.1:8080 or [::]:443",
  (raw) => {
    const [, inBrackets, plain, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text(raw) ?? "") ?? []
    const host = inBrackets ?? plain
    return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) }
  },
  ({ host, port }) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`)
)

/** An `http:` or `https:` URL without a trailing slash. */
export const Url = written(
  Schema.String,
  "a URL that begins with http:// or https://",
  (raw) => {
    const url = URL.parse(text(raw) ?? "")
    return url !== null && /^https?:$/.test(url.protocol) ? url.href.replace(/\/+$/, "") : undefined
  },
  (value) => value
)

/** Text that is never shown. */
export const Secret = written(
  Schema.Redacted(Schema.String),
  "some text",
  (raw) => (text(raw) === undefined ? undefined : Redacted.make(text(raw)!)),
  () => "<redacted>"
)

/** 32 bytes in base64, never shown. */
export const Key = written(
  Schema.Redacted(Schema.Uint8Array),
  "32 bytes in base64 (vpnmgr key generate makes one)",
  (raw) => {
    const bytes = /^[A-Za-z0-9+/]{43}=$/.test(text(raw) ?? "") ? Buffer.from(text(raw)!, "base64") : undefined
    return bytes === undefined ? undefined : Redacted.make(Uint8Array.from(bytes))
  },
  () => "<redacted>"
)
