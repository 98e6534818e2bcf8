/**
 * `GET` and `HEAD /s/{link}`: the config that apps fetch. A route of its own beside the contract, without a tracer; what
 * is logged and counted says `/s/*`, never the link.
 */
import { createHash } from "node:crypto"
import { Problem } from "@vpnmgr/api"
import { ConfigDelivery } from "@vpnmgr/core"
import { Effect, type Layer, Metric } from "effect"
import { Base64 } from "effect/encoding"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Answer from "./Answer.ts"
import { Policy } from "./Policy.ts"
import * as Refusal from "./Refusal.ts"
import * as Requests from "./Requests.ts"

const route = "/s/*"

const fetches = Metric.counter("config_fetches_total", { description: "Configs asked for", incremental: true })
const count = (outcome: string) => Metric.update(Metric.withAttributes(fetches, { outcome }), 1)

const suspended = new Problem.Suspended({ detail: "The subscription is suspended" })

/** What a link looks like; anything else is looked up as one that nobody has, so that it takes as long. */
const wellFormed = /^[A-Za-z0-9_-]{1,64}$/
const nobodys = "-"

const linkOf = (url: string): string => {
  const [path = ""] = url.split(/[?#]/, 1)
  const link = path.slice("/s/".length)
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

const headersOf = (
  { body, title, userInfo: info }: Config,
  { profileWebPageUrl, supportUrl, updateInterval }: Policy
) => {
  const shown = title.toWellFormed()
  return {
    "subscription-userinfo": userInfo(info),
    "profile-title": `base64:${Base64.encode(shown)}`,
    "profile-update-interval": String(updateInterval),
    "content-disposition": disposition(shown),
    ...(supportUrl === null ? {} : { "support-url": supportUrl }),
    ...(profileWebPageUrl === null ? {} : { "profile-web-page-url": profileWebPageUrl }),
    etag: `"${createHash("sha256").update(body).digest("base64url")}"`,
    "cache-control": "private, no-cache"
  }
}

/** Answers a config; what its headers say is made once for an answer that the core hands out again. */
const answering = (policy: Policy) => {
  const made = new WeakMap<Config, ReturnType<typeof headersOf>>()
  return (config: Config, ifNoneMatch: string | undefined) => {
    const headers = made.get(config) ?? headersOf(config, policy)
    made.set(config, headers)
    return matches(ifNoneMatch, headers.etag)
      ? { outcome: "not_modified", response: HttpServerResponse.empty({ status: 304, headers }) }
      : {
          outcome: "config",
          response: HttpServerResponse.text(config.body, { headers, contentType: "application/json" })
        }
  }
}

/** Serves configs from the core's `ConfigDelivery`. */
export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | ConfigDelivery.ConfigDelivery> = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const delivery = yield* ConfigDelivery.ConfigDelivery
    const policy = yield* Policy
    const answer = answering(policy)
    const fetch = Effect.gen(function* () {
      yield* Requests.isOf(route)
      const request = yield* HttpServerRequest.HttpServerRequest
      const found = yield* Refusal.storing(delivery.fetch(linkOf(request.url)))
      if (found._tag === "Unknown") return yield* Effect.as(count("unknown"), yield* Answer.problem(Answer.nothingHere))
      if (found._tag === "Suspended") return yield* Effect.as(count("suspended"), yield* Answer.problem(suspended))
      const { outcome, response } = answer(found, request.headers["if-none-match"])
      return yield* Effect.as(count(outcome), response)
    })
    const bounded = Effect.timeoutOrElse(fetch, {
      duration: policy.requestTimeout,
      orElse: () => Effect.fail(Refusal.unavailable("The request took too long"))
    })
    const answered = Effect.catchTag(bounded, "Unavailable", Answer.problem)
    yield* router.add("GET", route, Effect.withTracerEnabled(answered, false))
  })
)
