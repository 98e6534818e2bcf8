/**
 * What a config is made of, as data: what a person is called, what state they are in, and each way in with what it takes
 * to sign in there. The typed rendering (`SingBoxClient`) and an operator's template are given the same.
 *
 * It is a promise to whoever wrote a template: fields are added, and none changes its meaning or goes. It holds no id, no
 * link, and nothing that opens another person's way.
 */
import { Schema } from "effect"
import type { Access } from "./Credential.ts"
import type { Inbound } from "./Inbound.ts"
import { isServable, Port } from "./Inbound.ts"
import * as Instant from "./Instant.ts"
import type { Verdict } from "./Verdict.ts"
import * as Wire from "./Wire.ts"

const way = {
  /** Names the way in; unique in the config, and none of `choice`, `auto` and `direct`. */
  tag: Schema.NonEmptyString,
  /** What clients connect to. */
  server: Schema.NonEmptyString,
  serverPort: Port,
  geo: Schema.NullOr(Schema.String),
  purpose: Schema.NullOr(Schema.String)
}

/** One way in, with what this person signs in with. */
export const Entry = Schema.Union([
  Wire.struct({
    ...way,
    protocol: Schema.Literal("vless"),
    uuid: Schema.String,
    /** The TLS server that REALITY shows to strangers. */
    serverName: Schema.String,
    publicKey: Schema.String,
    shortId: Schema.String
  }),
  Wire.struct({
    ...way,
    protocol: Schema.Literal("shadowsocks"),
    method: Schema.Literal("2022-blake3-aes-128-gcm"),
    /** The server's key and the person's, with a colon between them. */
    password: Schema.String
  }),
  Wire.struct({
    ...way,
    protocol: Schema.Literal("hysteria2"),
    password: Schema.String,
    /** Null = no obfuscation. */
    obfsPassword: Schema.NullOr(Schema.String),
    serverName: Schema.String,
    /** The certificate to pin, PEM, line by line; null = the system's authorities judge. */
    certificate: Schema.NullOr(Schema.Array(Schema.String))
  })
])
export type Entry = typeof Entry.Type

/** Everything a config is rendered from. Its encoded form, in snake_case, is what templates see. */
export const ConfigModel = Wire.struct({
  /** As it was typed; `VPN` where nobody typed one. */
  title: Schema.String,
  /** `no_servers`: active, and none of its inbounds can be served yet. Only `active` has entries. */
  state: Schema.Literals(["active", "expired", "over_limit", "no_servers"]),
  /** What happened and until when, for the person, such as `over limit until 2026-02-01 00:00 UTC`; null while active. */
  reason: Schema.NullOr(Schema.String),
  /** When it ends by itself (over limit), RFC 3339; null = not by itself. */
  until: Schema.NullOr(Instant.Instant),
  expiresAt: Schema.NullOr(Instant.Instant),
  /** The tag for the choice among the ways: the title, short enough to be shown and different from the others. */
  choice: Schema.NonEmptyString,
  /** The tag for the way that a test found best, and for the way past the tunnel. */
  auto: Schema.Literal("auto"),
  direct: Schema.Literal("direct"),
  entries: Schema.Array(Entry)
})
export type ConfigModel = typeof ConfigModel.Type

/** The model as templates and the API show it. */
export const encode = Schema.encodeSync(ConfigModel)

/** One inbound that somebody is linked to, and how they sign in there. */
export interface ClientEntry {
  readonly inbound: Inbound
  readonly access: Access
}

/** A subscription as a config shows it. */
export interface Profile {
  /** Anything a person or the operator typed; null = nobody typed one. */
  readonly title: string | null
  readonly expiresAt: Instant.Instant | null
  readonly verdict: Exclude<Verdict, { state: "suspended" }>
  readonly entries: ReadonlyArray<ClientEntry>
}

/** The title where nobody gave one. */
export const untitled = "VPN"

const [autoTag, directTag] = ["auto", "direct"] as const
const maxTag = 80

/** Most wishes are readable as they are: printable ASCII, words a space apart. */
const readable = /^[!-~]+(?: [!-~]+)*$/

const legible = (wish: string): string =>
  wish.length <= maxTag && readable.test(wish)
    ? wish
    : Array.from(wish.replace(/\s+/gu, " ").trim()).slice(0, maxTag).join("") || untitled

/** Hands out tags: cut to a readable length, made unique with a number. */
const tags = (...taken: ReadonlyArray<string>) => {
  const used = new Set(taken)
  return (wish: string): string => {
    const base = legible(wish)
    let tag = base
    for (let n = 2; used.has(tag); n++) tag = `${base} (${n})`
    used.add(tag)
    return tag
  }
}

const label = ({ inbound }: ClientEntry): string =>
  [inbound.geo ?? inbound.host, inbound.purpose, inbound.protocol]
    .filter((part) => part !== null && part !== "")
    .join(" ")

/** The entry of an inbound; none when the access is of another protocol. */
const entryOf = ({ access, inbound }: ClientEntry, tag: string): ReadonlyArray<Entry> => {
  const { geo, purpose, settings } = inbound
  const at = { tag, server: inbound.host, serverPort: inbound.port, geo, purpose }
  if (settings.protocol === "vless" && access.protocol === "vless") {
    const { publicKey, serverName, shortId } = settings
    return [{ ...at, protocol: "vless", uuid: access.uuid, serverName, publicKey, shortId }]
  }
  if (settings.protocol === "shadowsocks" && access.protocol === "shadowsocks") {
    const password = `${settings.serverKey}:${access.key}`
    return [{ ...at, protocol: "shadowsocks", method: "2022-blake3-aes-128-gcm", password }]
  }
  if (settings.protocol === "hysteria2" && access.protocol === "hysteria2") {
    const pinned = settings.tls.mode === "agent" ? inbound.certificate : null
    return [
      {
        ...at,
        protocol: "hysteria2",
        password: access.password,
        obfsPassword: settings.obfsPassword,
        serverName: settings.tls.serverName,
        certificate: pinned === null ? null : pinned.trim().split(/\r?\n/)
      }
    ]
  }
  return []
}

/** As a person reads it: to the minute, to the second where that matters, in UTC. */
const moment = (instant: Instant.Instant): string =>
  `${Instant.format(instant)
    .replace("T", " ")
    .replace(/(:00)?\.\d+Z$/, "")} UTC`

/**
 * What is said to the person whose config carries nothing: what happened, whose traffic it is that is used up (the
 * subscription's own, or its provider's allowance), and until when where it ends by itself.
 */
const reasonOf = (verdict: Exclude<Profile["verdict"], { state: "active" }>): string =>
  verdict.state === "expired"
    ? `expired on ${moment(verdict.at)}`
    : [
        verdict.bucket === "subscription" ? "over limit" : "provider over limit",
        ...(verdict.until === Instant.never ? [] : [`until ${moment(verdict.until)}`])
      ].join(" ")

/** Makes the model. Inbounds that cannot be served yet are left out. */
export const of = ({ entries, expiresAt, title, verdict }: Profile): ConfigModel => {
  const unique = tags(directTag, autoTag)
  const shown = title ?? untitled
  const fixed = { title: shown, expiresAt, choice: unique(shown), auto: autoTag, direct: directTag }
  if (verdict.state !== "active") {
    const until = verdict.state === "over_limit" && verdict.until !== Instant.never ? verdict.until : null
    return { ...fixed, state: verdict.state, reason: reasonOf(verdict), until, entries: [] }
  }
  const ways = entries
    .filter(({ access, inbound }) => isServable(inbound) && access.protocol === inbound.protocol)
    .flatMap((entry) => entryOf(entry, unique(label(entry))))
  return ways.length === 0
    ? { ...fixed, state: "no_servers", reason: "no server yet", until: null, entries: [] }
    : { ...fixed, state: "active", reason: null, until: null, entries: ways }
}
