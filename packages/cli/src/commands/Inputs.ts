/** Arguments and flags that several nouns share: ids, pages, limits, instants, secrets. */
import { Option } from "effect"
import { Argument, Flag } from "effect/cli"
import * as fs from "node:fs"
import { Reference } from "../client/References.ts"
import type { Noun } from "../client/References.ts"
import { parseBytes, parseSpeed } from "../output/Amount.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const asUuid = (text: string) => Option.liftPredicate((id: string) => uuid.test(id))(text.toLowerCase())

const byName: ReadonlySet<Noun> = new Set(["user", "group"])

const naming = (noun: Noun): string =>
  `by its ${byName.has(noun) ? "name, its id" : "id"} or as much of the id's beginning as is its alone`

/** What the command is about. */
export const it = (noun: Noun) =>
  Argument.String(noun).pipe(
    Argument.withDescription(`The ${noun}, ${naming(noun)}`),
    Argument.map((text) => new Reference(noun, text))
  )

/** A flag that names a thing. */
export const referenceFlag = (noun: Noun, description: string, name: string = noun) =>
  Flag.String(name).pipe(
    Flag.withMetavar(noun),
    Flag.withDescription(description),
    Flag.map((text) => new Reference(noun, text))
  )

/** A flag that names a thing and may be left out. */
export const optionalReference = (noun: Noun, description: string, name: string = noun) =>
  referenceFlag(noun, description, name).pipe(
    Flag.map((value): Reference | undefined => value),
    Flag.withDefault(undefined)
  )

/** A flag that names a thing, may be left out, and clears with `none`. */
export const clearableReference = (noun: Noun, description: string, name: string = noun) =>
  referenceFlag(noun, `${description}; none clears it`, name).pipe(
    Flag.map((value): Reference | null | undefined => (value.text === "none" ? null : value)),
    Flag.withDefault(undefined)
  )

/** Things named one flag each. */
export const references = (noun: Noun, description: string, name: string = noun) =>
  referenceFlag(noun, `${description}; may be repeated`, name).pipe(Flag.between(0, 1000))

/** Things named in a file, one a line; none when it is left out. */
export const referencesFile = (noun: Noun, name: string, description: string) =>
  file(name, description).pipe(
    Flag.mapTryCatch(
      (path): ReadonlyArray<Reference> =>
        path === undefined
          ? []
          : fs
              .readFileSync(path, "utf8")
              .split(/\s+/)
              .flatMap((text) => (text === "" ? [] : [new Reference(noun, text)])),
      (error) => (error instanceof Error ? error.message : "the file cannot be read")
    )
  )

/** The id of what the command is about, where no list is there to look for a beginning. */
export const id = (noun: string, list: string) =>
  Argument.String("id").pipe(
    Argument.withDescription(`The ${noun}'s id`),
    Argument.filterMap(asUuid, () => `the id of a ${noun}, as \`vpnmgr ${list}\` shows it`)
  )

/** A flag that holds an id and may be left out. */
export const optionalId = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("id"),
    Flag.withDescription(description),
    Flag.filterMap(asUuid, () => "an id"),
    Flag.map((value): string | undefined => value),
    Flag.withDefault(undefined)
  )

/** A flag of text that may be left out. */
export const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(description),
    Flag.map((value): string | undefined => value),
    Flag.withDefault(undefined)
  )

/** Text that `none` clears. */
export const clearable = (name: string, metavar: string, description: string) =>
  text(name, metavar, `${description}; none clears it`).pipe(Flag.map((value) => (value === "none" ? null : value)))

const amount = (name: string, metavar: string, description: string, parse: (text: string) => bigint | undefined) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(`${description}, or unlimited`),
    Flag.filterMap(
      (text): Option.Option<bigint | null | undefined> =>
        text === "unlimited" ? Option.some(null) : Option.fromUndefinedOr(parse(text)),
      () => `an amount ${description.slice(description.indexOf("such as"))}, or unlimited`
    ),
    Flag.withDefault(undefined)
  )

/** A speed that may be left out. */
export const speed = (name: string, description: string) =>
  amount(name, "speed", `${description}, such as 100Mbit or 1Gbit`, parseSpeed)

/** The three limits; what is left out is undefined. */
export const limits = {
  maxTraffic: amount("max-traffic", "size", "Traffic in a window, such as 10GB or 50GiB", parseBytes),
  maxSpeed: speed("max-speed", "Speed"),
  trafficResetPeriod: text(
    "traffic-reset-period",
    "duration",
    "When traffic starts anew: an ISO 8601 duration such as P30D or P1M, or never"
  ).pipe(Flag.map((value) => (value === "never" ? null : value)))
}

/** A whole number that may be left out. */
export const whole = (name: string, metavar: string, description: string) =>
  Flag.Int(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(description),
    Flag.map((value): number | undefined => value),
    Flag.withDefault(undefined)
  )

/** One of a few words that may be left out. */
export const oneOf = <const Words extends ReadonlyArray<string>>(name: string, words: Words, description: string) =>
  Flag.Literals(name, words).pipe(
    Flag.withDescription(description),
    Flag.map((value): Words[number] | undefined => value),
    Flag.withDefault(undefined)
  )

/** Yes or no, or left out. */
export const truth = (name: string, description: string) =>
  oneOf(name, ["yes", "no"], description).pipe(
    Flag.map((value): boolean | undefined => (value === undefined ? undefined : value === "yes"))
  )

/** A switch that is off when it is left out. */
export const toggle = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withoutNegation, Flag.withDefault(false))

/** A file that may be left out. Its name ends in what `completion/Descriptor.ts` takes for a file's. */
export const file = (name: string, description: string) => text(name, "file", description)

/** Which part of a list to show. */
export const page = {
  limit: whole("limit", "count", "Items to show, 1 to 200; default 50"),
  cursor: text("cursor", "text", "Go on where the page before ended"),
  all: toggle("all", "Show every page; with --json one item a line")
}

const spans: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

const instantOf = (text: string): number | undefined => {
  const [, digits, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? []
  if (digits !== undefined && unit !== undefined) return Date.now() + Number(digits) * (spans[unit] ?? 0)
  const at = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : at
}

const when = "RFC 3339 such as 2026-12-31T00:00:00Z, or from now such as 30d"

/** A moment that may be left out: RFC 3339, or a time from now such as `30d`. */
export const moment = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("time"),
    Flag.withDescription(`${description}: ${when}`),
    Flag.filterMap(
      (text): Option.Option<number | undefined> => Option.fromUndefinedOr(instantOf(text)),
      () => `a time: ${when}`
    ),
    Flag.withDefault(undefined)
  )

/** A span of time that records lie in. */
export const between = {
  from: moment("from", "The first moment to show"),
  to: moment("to", "The first moment not to show")
}

/** A moment that `never` clears. */
export const end = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("time"),
    Flag.withDescription(`${description}: ${when}; never clears it`),
    Flag.filterMap(
      (text): Option.Option<number | null | undefined> =>
        text === "never" ? Option.some(null) : Option.fromUndefinedOr(instantOf(text)),
      () => `a time: ${when}, or never`
    ),
    Flag.withDefault(undefined)
  )

/** Where a password is read from instead of being asked for. */
export const passwordFile = file(
  "password-file",
  "Read the password from the file's first line, - for standard input, instead of asking"
)
