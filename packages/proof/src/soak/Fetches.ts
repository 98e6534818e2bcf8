/**
 * Apps that fetch configs all the time, and look at what they get: the whole config of the right subscription, 403 while
 * it is suspended, 404 for an address that was given up. What changed a moment ago is not judged.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { Config } from "../Client.ts"
import { secretOf } from "../Client.ts"
import { Unexpected } from "../Report.ts"
import type { Administration } from "./Administration.ts"
import type { Answer, Asker } from "./Ask.ts"
import type { Kept } from "./Kept.ts"

export interface Fetches {
  readonly start: (width: number) => void
  /** Stops; fails with the first config that was wrong. */
  readonly stop: () => Promise<void>
  /** Configs that were judged, by what they were: whole, limited, suspended, gone. */
  readonly judged: () => ReadonlyMap<string, number>
}

/** DESIGN: an answer lives a second at most; and what a fetch itself takes on a busy machine. */
const settled = 2500
const protocols = new Set(["vless", "shadowsocks", "hysteria2"])

const titleOf = ({ headers }: Answer): string =>
  Buffer.from(String(headers["profile-title"] ?? "").replace(/^base64:/, ""), "base64").toString("utf8")

export const make = (
  asker: Asker,
  { all, dead }: Pick<Administration, "all" | "dead">,
  random: () => number,
  pause: number
): Fetches => {
  const judged = new Map<string, number>()
  const owners = new Map<string, string>()
  const over = new AbortController()
  let working: Promise<unknown> = Promise.resolve()
  const count = (kind: string) => judged.set(kind, (judged.get(kind) ?? 0) + 1)

  const fetch = (path: string) => asker.once({ method: "GET", template: "/s/{link}", path, within: 10_000 })

  const wrong = (why: string, { id }: Pick<Kept, "id">, { body, status }: Answer) =>
    new Unexpected(`the config of ${id}: ${why}; ${status} ${body.slice(0, 200)}`)

  /** Nobody else's secret, nor one that was given up. */
  const isOwn = (kept: Kept, config: Config): boolean => {
    const me = `${kept.id}/${kept.rotations}`
    return config.outbounds
      .filter(({ type }) => protocols.has(type))
      .every((way) => {
        const secret = secretOf(way)
        const owner = owners.get(secret) ?? me
        owners.set(secret, owner)
        return owner === me
      })
  }

  const judge = (kept: Kept, answer: Answer) => {
    if (kept.isSuspended) {
      if (answer.status !== 403) throw wrong("expected 403 while it is suspended", kept, answer)
      return count("suspended")
    }
    if (answer.status !== 200) throw wrong("expected 200", kept, answer)
    if (titleOf(answer) !== kept.title) throw wrong(`its title is ${titleOf(answer)}`, kept, answer)
    const config = JSON.parse(answer.body) as Config
    if (!isOwn(kept, config)) throw wrong("it holds what another signs in with", kept, answer)
    const isWhole = config.outbounds.some(({ type }) => protocols.has(type))
    if (!isWhole && kept.maxTraffic === null) throw wrong("it carries nothing", kept, answer)
    return count(isWhole ? "whole" : "limited")
  }

  const look = async () => {
    const now = performance.now()
    if (random() < 0.1) {
      const gone = dead().filter(({ at }) => at < now - settled)
      const link = gone[Math.floor(random() * gone.length)]
      const answer = link === undefined ? null : await fetch(link.path)
      if (answer === null || answer.status === 503) return
      if (answer.status !== 404) throw wrong("expected 404 for an address given up", { id: link!.path }, answer)
      return void count("gone")
    }
    const known = all().filter((kept) => !kept.isDeleted)
    const kept = known[Math.floor(random() * known.length)]
    if (kept === undefined) return
    const { changedAt, path, version } = kept
    const answer = await fetch(path)
    if (answer === null || answer.status === 503) return
    const isStill = version === kept.version && version % 2 === 0 && changedAt < now - settled
    if (isStill) judge(kept, answer)
  }

  const work = async () => {
    const { signal } = over
    while (!signal.aborted) {
      await look()
      await sleep(pause * (0.5 + random()), undefined, { signal }).catch(() => undefined)
    }
  }

  return {
    judged: () => judged,
    start: (width) => {
      working = Promise.all(Array.from({ length: width }, work))
      working.catch(() => undefined)
    },
    stop: async () => {
      over.abort()
      await working
    }
  }
}
