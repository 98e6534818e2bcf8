/**
 * The batches of a spool. Only open ones, never handed to the network, take more; and only within one grain, unless
 * the spool is full: then whatever comes merges, and nothing is dropped. Every verb runs inside the caller's
 * transaction.
 */
import type { DatabaseSync } from "node:sqlite"
import { type Instant, TrafficReport } from "@vpnmgr/core"
import type { Amount } from "../Baseline.ts"
import type { Counted } from "../Tally.ts"
import { readMeta, writeMeta } from "./spoolFile.ts"
import * as Rows from "./spoolRows.ts"

export interface Interval {
  readonly from: Instant.Instant
  readonly to: Instant.Instant
  /** The end of the grain that `to` belongs to. */
  readonly edge: Instant.Instant
}

/** What is bounded: how many batches wait, and how many entries fit in one. */
export interface Bounds {
  readonly maxBatches: number
  readonly maxEntries: number
}

export const bounds = (maxBatches: number): Bounds => ({ maxBatches, maxEntries: TrafficReport.maxEntries })

/** The seq the next batch gets: 1, 2, 3 … for the life of the file. */
export const nextSeq = (db: DatabaseSync): number => Number(readMeta(db, "next_seq") ?? 1)

/** How many batches wait for their acknowledgement. */
export const waiting = (db: DatabaseSync): number =>
  Number(db.prepare("SELECT count(*) AS n FROM batch WHERE state IN ('open', 'sent')").get()?.["n"])

/** The lowest seq not yet acknowledged; the next one when nothing waits. */
export const lowest = (db: DatabaseSync): number => {
  const row = db.prepare("SELECT min(seq) AS seq FROM batch WHERE state IN ('open', 'sent')").get()
  return typeof row?.["seq"] === "number" ? row["seq"] : nextSeq(db)
}

const make = (db: DatabaseSync, { from, to, edge }: Interval, state: "open" | "sent"): number => {
  const seq = nextSeq(db)
  writeMeta(db, "next_seq", seq + 1)
  db.prepare("INSERT INTO batch VALUES (?, ?, ?, ?, ?)").run(seq, from, to, edge, state)
  return seq
}

/** Makes every open batch immutable. */
export const seal = (db: DatabaseSync): void => {
  db.prepare("UPDATE batch SET state = 'sent' WHERE state = 'open'").run()
}

/** Books amounts of an interval into the open batches, and makes new ones where they do not fit. */
export const append = (
  db: DatabaseSync,
  amounts: ReadonlyArray<Amount>,
  interval: Interval,
  { maxBatches, maxEntries }: Bounds
): ReadonlyArray<Counted> => {
  if (waiting(db) < maxBatches && Rows.open(db).some(({ edge }) => edge !== interval.edge)) seal(db)
  const group = Rows.open(db).map(({ seq, size }) => ({ seq, size }))
  const holds = db.prepare("SELECT 1 FROM entry WHERE seq = ? AND credential = ? AND inbound = ?")
  const insert = db.prepare("INSERT INTO entry VALUES (?, ?, ?, ?, ?)")
  const raise = db.prepare(
    "UPDATE entry SET up = up + ?, down = down + ? WHERE seq = ? AND credential = ? AND inbound = ?"
  )

  const place = ({ credential, inbound, up, down }: Amount): number => {
    const home = group.find(({ seq }) => holds.get(seq, credential, inbound) !== undefined)
    if (home !== undefined) {
      raise.run(up, down, home.seq, credential, inbound)
      return home.seq
    }
    const last = group.at(-1)
    const roomy = last !== undefined && last.size < maxEntries ? last : { seq: make(db, interval, "open"), size: 0 }
    if (roomy !== last) group.push(roomy)
    insert.run(roomy.seq, credential, inbound, up, down)
    roomy.size++
    return roomy.seq
  }

  const placed = amounts.map((amount): Counted => ({ ...amount, seq: place(amount), to: interval.to }))
  const stretch = db.prepare(
    "UPDATE batch SET began = min(began, ?), ended = max(ended, ?), edge = max(edge, ?) WHERE seq = ?"
  )
  for (const seq of new Set(placed.map((one) => one.seq))) stretch.run(interval.from, interval.to, interval.edge, seq)
  return placed
}

/** Makes the batches that wait immutable; with none waiting, an empty one: the heartbeat. */
export const sealOrBeat = (db: DatabaseSync, interval: Interval): void => {
  if (waiting(db) === 0) make(db, interval, "sent")
  else seal(db)
}
