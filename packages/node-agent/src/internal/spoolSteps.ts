/**
 * When the clock of the node was set, and by how much, while batches waited: their times are those of the clock before,
 * and what is said of them when they are sent must be by the same clock. Every verb runs inside the caller's transaction.
 */
import type { DatabaseSync } from "node:sqlite"
import type { Bounds } from "./spoolBatches.ts"
import * as Batches from "./spoolBatches.ts"

/** A clock that moves by less between two looks is being corrected, not set, milliseconds. */
export const noticeable = 1000

/** Keeps that the clock was set: what was counted before goes out on its own. */
export const record = (db: DatabaseSync, by: number, bounds: Bounds): void => {
  db.prepare("DELETE FROM clock_step WHERE seq <= ?").run(Batches.lowest(db))
  if (Batches.waiting(db) === 0) return
  if (Batches.waiting(db) < bounds.maxBatches) Batches.seal(db)
  const save = "INSERT INTO clock_step VALUES (?, ?) ON CONFLICT (seq) DO UPDATE SET moved = moved + excluded.moved"
  db.prepare(save).run(Batches.nextSeq(db), by)
}

/** By how many milliseconds the clock was set, all in all, since a batch was made. */
export const since = (db: DatabaseSync, seq: number): number =>
  Number(db.prepare("SELECT coalesce(sum(moved), 0) AS moved FROM clock_step WHERE seq > ?").get(seq)?.["moved"])
