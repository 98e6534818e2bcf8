/** What a case is given, and what it answers. A case is one file in `cases/` and one line in `cases.ts`. */
import { median, type Row } from "./Figures.ts"
import * as Load from "./Load.ts"
import type { Raw } from "./Raw.ts"
import type { Site } from "./Site.ts"

export interface Bench {
  /** By number of subscriptions, the fewest first. */
  readonly sites: ReadonlyArray<Site>
  /** Serializes a config of the sites' size for each request. */
  readonly raw: Raw
  /** Opens a site of a case's own, on the same PostgreSQL; whoever opens it stops its server. */
  readonly open: (subscriptions: number, name: string) => Promise<Site>
  /** How often each measurement is taken, in turn with its yardstick. */
  readonly rounds: number
  /** How long each measurement takes. */
  readonly seconds: number
  /** Says something beside the table. */
  readonly note: (text: string) => void
}

export interface Case {
  /** What it is asked for by: `npm run bench -- uncached`. */
  readonly name: string
  readonly goals: ReadonlyArray<number>
  /** Seconds it may take with the defaults; a longer one is said to be. All cases together stay below 20 minutes. */
  readonly budget?: number
  readonly run: (bench: Bench) => Promise<ReadonlyArray<Row>>
}

/** Connections of a throughput measurement. */
export const connections = 64

/** The site with the most subscriptions. */
export const largest = (bench: Bench): Site => bench.sites.at(-1)!

/** The yardstick of HTTP under the same load. */
export const rawLoad = ({ raw, seconds }: Bench): Promise<Load.Measured> =>
  Load.run(
    {
      url: raw.url,
      links: { kind: "one", path: "/" },
      headers: {},
      connections,
      seconds,
      rate: null,
      expect: { status: 200, length: raw.length, proxies: null }
    },
    { server: raw.pid, postgres: null }
  )

/** The medians of a measurement in a few words. */
export const words = (measured: ReadonlyArray<Load.Measured>): string => {
  const middle = (key: "perSecond" | "serverCpu" | "postgresCpu") =>
    median(measured.map((each) => each[key])).toFixed(0)
  const postgres = middle("postgresCpu") === "0" ? "" : ` + ${middle("postgresCpu")} PostgreSQL`
  const load = (median(measured.map(({ loadShare }) => loadShare)) * 100).toFixed(0)
  return `${middle("perSecond")}/s, CPU µs ${middle("serverCpu")}${postgres}, load ${load} %`
}
