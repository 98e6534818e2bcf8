/** Judges answers while they come: each by status and size, every 64th in full. Used within the load process. */
import { createHash } from "node:crypto"
import type { Expected, Links } from "./Job.ts"
import { idOf, titleOf } from "./Seed.ts"

const often = 64

/** Prime, so that going on by it visits every index of any smaller count that it does not divide. */
const stride = 1_611_953

/** What a request asked for; `index` is null when all requests are the same. */
export interface Asked {
  readonly path: string
  readonly index: number | null
}

/** Makes the sequence of what to ask for: neighbours in it are far apart in the tables. */
export const sequence = (links: Links): (() => Asked) => {
  if (links.kind === "one") {
    const asked = { path: links.path, index: null }
    return () => asked
  }
  let at = links.start
  return () => {
    at = (at + stride) % links.count
    return { path: `/s/${idOf(at + 1)}`, index: at + 1 }
  }
}

const wanted = [
  "etag",
  "subscription-userinfo",
  "profile-title",
  "profile-update-interval",
  "content-disposition",
  "cache-control",
  "referrer-policy"
]

/** Headers as HTTP parsers give them: name, value, name, value. */
const named = (flat: ReadonlyArray<string>): ReadonlyMap<string, string> =>
  new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), flat[at + 1] ?? ""] as const] : [])))

const complaint = (asked: Asked, headers: ReadonlyMap<string, string>, body: string, proxies: number) => {
  const missing = wanted.find((name) => !headers.has(name))
  if (missing !== undefined) return `no header ${missing}`
  if (headers.get("etag") !== `"${createHash("sha256").update(body).digest("base64url")}"`)
    return "the ETag is not the body's"
  const title = Buffer.from((headers.get("profile-title") ?? "").replace("base64:", ""), "base64").toString()
  if (asked.index !== null && title !== titleOf(asked.index)) return `the config of "${title}"`
  const config = JSON.parse(body) as { readonly outbounds: ReadonlyArray<{ readonly server?: string }> }
  const found = config.outbounds.filter(({ server }) => server !== undefined).length
  return found === proxies ? undefined : `${found} proxies instead of ${proxies}`
}

export interface Judge {
  readonly see: (asked: Asked, status: number, headers: () => ReadonlyArray<string>, body: string) => void
  readonly fail: (why: string) => void
  readonly seen: () => { readonly inspected: number; readonly wrong: number; readonly firstWrong: string | null }
}

export const make = ({ length, proxies, status }: Expected): Judge => {
  let [count, inspected, wrong] = [0, 0, 0]
  let firstWrong: string | null = null
  const fail = (why: string) => {
    wrong++
    firstWrong ??= why
  }
  return {
    see: (asked, gotStatus, headers, body) => {
      // All is ASCII, so that characters are bytes.
      if (gotStatus !== status)
        return fail(`${gotStatus} instead of ${status} for ${asked.path}: ${body.slice(0, 200)}`)
      if (body.length !== length) return fail(`${body.length} bytes instead of ${length} for ${asked.path}`)
      if (proxies === null || count++ % often !== 0) return
      inspected++
      const why = complaint(asked, named(headers()), body, proxies)
      if (why !== undefined) fail(`${why} for ${asked.path}`)
    },
    fail,
    seen: () => ({ inspected, wrong, firstWrong })
  }
}
