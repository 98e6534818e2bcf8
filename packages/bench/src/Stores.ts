/** The rules and the stores in this process, on a site's PostgreSQL: what a report costs without HTTP around it. */
import {
  type BucketStore,
  ControlPlane,
  type Enforcer,
  type Transaction,
  type TrafficReport,
  type UsageStore,
  Vault
} from "@vpnmgr/core"
import { PgStores, type Stores as PgServices } from "@vpnmgr/store-pg"
import { type Effect, Layer, ManagedRuntime, Redacted } from "effect"
import type { SqlClient } from "effect/sql"
import * as Cpu from "./Cpu.ts"
import { idOf } from "./Seed.ts"
import type { Site } from "./Site.ts"

type Services =
  | PgServices
  | SqlClient.SqlClient
  | Enforcer.Enforcer
  | BucketStore.BucketStore
  | Transaction.Transaction
  | UsageStore.UsageStore

export interface Stores {
  readonly run: <A, E>(effect: Effect.Effect<A, E, Services>) => Promise<A>
  readonly close: () => Promise<void>
}

/** What something took: milliseconds on the clock, and of CPU in this process and in PostgreSQL. */
export interface Took {
  readonly milliseconds: number
  readonly here: number
  readonly postgres: number
}

/** Opens them. Close them before the site's server is stopped. */
export const open = (site: Site): Stores => {
  const options = { url: Redacted.make(site.sql.url), maxConnections: 4 }
  const vault = Vault.Vault.layer(Redacted.make(new Uint8Array(Buffer.from(site.encryptionKey, "base64"))))
  const runtime = ManagedRuntime.make(
    ControlPlane.layer.pipe(
      Layer.provideMerge(PgStores.layer(options)),
      Layer.provideMerge(PgStores.layerClient(options)),
      Layer.provide(vault)
    )
  )
  return {
    run: (effect) => runtime.runPromise(effect as Effect.Effect<never, never, never>),
    close: () => runtime.dispose()
  }
}

/** Takes the time of what is done. */
export const timed = async (site: Site, work: () => Promise<unknown>): Promise<Took> => {
  const here = () => Object.values(process.cpuUsage()).reduce((sum, each) => sum + each, 0) / 1000
  const cpu = () => ({ here: here(), postgres: Cpu.used(site.behind().postgres!) })
  const before = cpu()
  const began = performance.now()
  await work()
  const milliseconds = performance.now() - began
  const after = cpu()
  return { milliseconds, here: after.here - before.here, postgres: after.postgres - before.postgres }
}

/** Where the entries of batches lie among the subscriptions: scattered, so that no page has two of one batch. */
const stride = 7919

export interface Entries {
  readonly size: number
  /** The next batch's subscriptions, by index from 1. */
  readonly next: () => ReadonlyArray<number>
}

/** Batches over all subscriptions in turn, in an order that has nothing to do with where they lie. */
export const scattered = (site: Site, wanted: number): Entries => {
  const size = Math.min(wanted, site.subscriptions)
  let at = 0
  return {
    size,
    next: () => Array.from({ length: size }, () => 1 + ((at++ * stride) % site.subscriptions))
  }
}

/** The credential of the first seeded subscription; those of the others follow it. */
export const firstCredential = async (site: Site): Promise<number> =>
  Number((await site.sql.run(`SELECT credential FROM subscription WHERE id = '${idOf(1)}'`))[0])

/** A report of a spool, sent now. */
export const reportOf = (
  spool: string,
  seq: number,
  entries: ReadonlyArray<TrafficReport.Entry>
): TrafficReport.Report => {
  const to = Date.now()
  const batch = { spool, seq, from: to - 10_000, to, entries }
  return { batch, sentAt: to, lowest: seq, agentVersion: "bench", planeVersion: null }
}
