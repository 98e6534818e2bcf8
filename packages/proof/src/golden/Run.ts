/** What the parts of a golden run share: the arena, the report, and readers of both nodes' counters that never stop. */
import * as Arena from "../Arena.ts"
import type { Counters } from "../Counters.ts"
import type { Report } from "../Report.ts"
import * as Subscriber from "../Subscriber.ts"
import type { Draft } from "../Api.ts"

/** Windows and anchors are whole multiples of it, milliseconds. Longer than a reading, so that defaults are run. */
export const grain = 5000

/** Spares in stock: more than all parts take, so that nothing but the refill restarts a plane. */
const spares = 160

export interface Run {
  readonly arena: Arena.Arena
  readonly report: Report
  /** The version of sing-box. */
  readonly version: string
  readonly subscribe: (draft: Draft) => Promise<Subscriber.Subscriber>
  /** Everybody who subscribed. */
  readonly subscribers: ReadonlyArray<Subscriber.Subscriber>
  /** Those with traffic that is not in their books, or right before a crash of sing-box, which loses what was not read. */
  readonly unbooked: Set<Subscriber.Subscriber>
  /** Counters of both nodes over all runs of their planes so far. */
  readonly counters: () => ReadonlyArray<Counters>
  /** Reads the counters of both nodes once more. */
  readonly look: () => Promise<ReadonlyArray<Counters>>
  /** What must be found nowhere when the run is over, by what it is. */
  readonly secrets: Map<string, string>
  readonly close: (keep: boolean) => Promise<void>
}

/** The start of the grain that `at` lies in. */
export const anchorAt = (at: number): string => new Date(Math.floor(at / grain) * grain).toISOString()

/** Opens an arena of two nodes with the defaults of reading and reporting. */
export const open = async (version: string, report: Report): Promise<Run> => {
  const quiet = (new Date().getUTCHours() + 12) % 24
  const arena = await Arena.open({
    singBox: version,
    serverEnv: {
      VPNMGR_GRAIN: `${grain / 1000}s`,
      VPNMGR_SPARES_MINIMUM: String(spares),
      VPNMGR_SPARES_QUIET_HOUR: String(quiet)
    }
  })
  const readers = arena.nodes.map((node) => node.observe(1000))
  const counters = () => readers.map((reader) => reader.total())
  const look = async () => {
    await Promise.all(readers.map((reader) => reader.look()))
    return counters()
  }
  const subscribers: Array<Subscriber.Subscriber> = []
  const secrets = new Map([
    ["the superuser's password", arena.password],
    ["the encryption key", arena.encryptionKey],
    ["the database's password", decodeURIComponent(new URL(arena.database.url).password)]
  ])
  for (const node of arena.nodes) secrets.set(`the key of ${node.name}`, node.key)
  return {
    arena,
    report,
    version,
    counters,
    look,
    secrets,
    subscribe: async (draft) => {
      const subscriber = await Subscriber.create(arena, look, draft)
      subscribers.push(subscriber)
      return subscriber
    },
    subscribers,
    unbooked: new Set(),
    close: async (keep) => {
      await Promise.all(readers.map((reader) => reader.stop()))
      await arena.close(keep)
    }
  }
}
