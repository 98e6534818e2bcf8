/**
 * What `GET /s/{link}` is answered over HTTP: status, headers and body of whatever the core delivers. No request and no
 * response is seen here, so that the route and the listener in front of the router say the same.
 */
import { hash } from "node:crypto"
import { validateHeaderValue } from "node:http"
import { Problem } from "@vpnmgr/api"
import type { ConfigDelivery } from "@vpnmgr/core"
import { Effect, Metric } from "effect"
import { Base64 } from "effect/encoding"
import { HttpServerResponse } from "effect/http"
import * as Answer from "./Answer.ts"
import { Policy } from "./Policy.ts"
import * as Refusal from "./Refusal.ts"
import * as Requests from "./Requests.ts"

/** The address, as it is logged and counted. */
export const route = "/s/*"

/** An answer as it goes out. */
export interface ConfigAnswer {
  readonly outcome: Outcome
  readonly status: number
  /** In a row, name and value, as node writes them fastest; `content-length` and `content-type` among them. */
  readonly headers: ReadonlyArray<string>
  readonly body: string
}

const outcomes = ["config", "not_modified", "suspended", "unknown", "unavailable", "failed"] as const
export type Outcome = (typeof outcomes)[number]

const fetches = Metric.counter("config_fetches_total", { description: "Configs asked for", incremental: true })
const byOutcome = new Map(outcomes.map((outcome) => [outcome, Metric.withAttributes(fetches, { outcome })]))

/** The counter of answers of one outcome. */
export const counterOf = (outcome: Outcome): Metric.Counter<number> => byOutcome.get(outcome)!

/** What a link looks like; anything else is looked up as one that nobody has, so that it takes as long. */
const wellFormed = /^[A-Za-z0-9_-]{1,64}$/
const nobodys = "-"

/** The link that a request asks for. */
export const linkOf = (url: string): string => {
  const end = url.search(/[?#]/)
  const link = url.slice("/s/".length, end < 0 ? undefined : end)
  return wellFormed.test(link) ? link : nobodys
}

/**
 * All four fields, always: Hiddify and its kin show nothing when one is absent, and take 0 for unlimited. So a limit of
 * nothing at all is sent as one byte, and an expiry before 1970 as its first second.
 */
const userInfo = ({ upload, download, total, expiresAt }: ConfigDelivery.UserInfo): string => {
  const least = total === 0n ? 1n : (total ?? 0n)
  const expire = expiresAt === null ? 0 : Math.max(1, Math.floor(expiresAt / 1000))
  return `upload=${upload}; download=${download}; total=${least}; expire=${expire}`
}

/** RFC 6266 and 8187: a plain name for old apps, the real one encoded. */
const disposition = (title: string): string => {
  const encoded = encodeURIComponent(title).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`
  )
  return `attachment; filename="config.json"; filename*=UTF-8''${encoded}.json`
}

/** True when one of the tags named is the body's, or any will do. */
const matches = (named: string | undefined, etag: string): boolean =>
  named !== undefined && named.split(",").some((tag) => ["*", etag, `W/${etag}`].includes(tag.trim()))

type Config = Extract<ConfigDelivery.Delivery, { readonly _tag: "Config" }>

const hardened: ReadonlyArray<string> = Object.entries({
  ...Requests.hardened,
  "cache-control": "private, no-cache"
}).flat()

/** The headers that are the same in every answer of a server. */
const fixedOf = ({ profileWebPageUrl, supportUrl, updateInterval }: Policy): ReadonlyArray<string> => [
  ...hardened,
  "profile-update-interval",
  String(updateInterval),
  ...(supportUrl === null ? [] : ["support-url", supportUrl]),
  ...(profileWebPageUrl === null ? [] : ["profile-web-page-url", profileWebPageUrl])
]

const etagOf = (body: string): string => `"${hash("sha256", body, "base64url")}"`

const headersOf = ({ title, userInfo: info }: Config, etag: string, fixed: ReadonlyArray<string>): Array<string> => {
  const shown = title.toWellFormed()
  return [
    ...fixed,
    "subscription-userinfo",
    userInfo(info),
    "profile-title",
    `base64:${Base64.encode(shown)}`,
    "content-disposition",
    disposition(shown),
    "etag",
    etag
  ]
}

/** A config's answers: whole, and to whoever has it already. */
interface Both {
  readonly etag: string
  readonly whole: ConfigAnswer
  readonly unchanged: ConfigAnswer
}

const bothOf = (config: Config, fixed: ReadonlyArray<string>): Both => {
  const { body } = config
  const etag = etagOf(body)
  const headers = headersOf(config, etag, fixed)
  const typed = [...headers, "content-type", "application/json", "content-length", String(Buffer.byteLength(body))]
  return {
    etag,
    whole: { outcome: "config", status: 200, headers: typed, body },
    unchanged: { outcome: "not_modified", status: 304, headers, body: "" }
  }
}

/** Makes an answer of a problem, which is the same each time. */
const problemOf = (outcome: Outcome, what: Problem.Problem) =>
  Effect.map(Answer.problem(what), (response): ConfigAnswer => {
    const web = HttpServerResponse.toWeb(response)
    return {
      outcome,
      status: what.status,
      headers: Object.entries({ ...Requests.hardened, ...Object.fromEntries(web.headers) }).flat(),
      body: new TextDecoder().decode((response.body as { readonly body: Uint8Array }).body)
    }
  })

const suspended = new Problem.Suspended({ detail: "The subscription is suspended" })

export interface Answers {
  /** What a delivery is answered, given the request's `If-None-Match`. */
  readonly of: (delivery: ConfigDelivery.Delivery, ifNoneMatch: string | undefined) => ConfigAnswer
  /** The same for a delivery that the core hands out again: what its headers say is made once. */
  readonly ofKept: Answers["of"]
  /** For whoever comes while the store cannot answer, while too many are being answered, and when the server failed. */
  readonly away: ConfigAnswer
  readonly tooSlow: ConfigAnswer
  readonly crowded: ConfigAnswer
  readonly failed: ConfigAnswer
}

/** Makes the answers. Dies of a policy whose addresses no header can carry: everything else is made of ASCII here. */
export const make: Effect.Effect<Answers> = Effect.gen(function* () {
  const fixed = fixedOf(yield* Policy)
  for (const [at, value] of fixed.entries()) if (at % 2 === 1) validateHeaderValue(fixed[at - 1]!, value)
  const [nothing, refused] = [yield* problemOf("unknown", Answer.nothingHere), yield* problemOf("suspended", suspended)]
  const made = new WeakMap<Config, Both>()
  const once = (config: Config): Both => {
    let found = made.get(config)
    if (found === undefined) made.set(config, (found = bothOf(config, fixed)))
    return found
  }
  const answering =
    (both: (config: Config) => Both): Answers["of"] =>
    (delivery, ifNoneMatch) => {
      if (delivery._tag === "Unknown") return nothing
      if (delivery._tag === "Suspended") return refused
      const { etag, unchanged, whole } = both(delivery)
      return matches(ifNoneMatch, etag) ? unchanged : whole
    }
  return {
    of: answering((config) => bothOf(config, fixed)),
    ofKept: answering(once),
    away: yield* problemOf("unavailable", Refusal.unavailable()),
    tooSlow: yield* problemOf("unavailable", Refusal.unavailable("The request took too long")),
    crowded: yield* problemOf("unavailable", Refusal.unavailable("Too many requests are being answered")),
    failed: yield* problemOf("failed", Answer.internal)
  }
})
