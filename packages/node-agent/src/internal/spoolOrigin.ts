/**
 * Which batches a spool's file held already when it was opened, and which were made since.
 *
 * Nothing tells a file that was brought back from a copy from one that was merely closed, until the server refuses a
 * number: then what was there at the opening was delivered in the time that the file forgot, and what was made since was
 * not. So at the opening nothing may be left to merge into, and the first reading of a run that somebody else started
 * counts as there already. The mark holds from the first opening after an acknowledgement until the next one. Every verb
 * runs inside the caller's transaction.
 */
import type { DatabaseSync } from "node:sqlite"
import type { Bounds } from "./spoolBatches.ts"
import * as Batches from "./spoolBatches.ts"
import { readMeta, writeMeta } from "./spoolFile.ts"

const mark = "made_since"

/** When a batch was made: in the file when that was opened, since then, or unknown for something was acknowledged. */
export type Origin = "before" | "since" | "unknown"

/** When a batch was made. */
export const of = (db: DatabaseSync, seq: number): Origin => {
  const from = readMeta(db, mark)
  return typeof from !== "number" ? "unknown" : seq < from ? "before" : "since"
}

const draw = (db: DatabaseSync, bounds: Bounds): void => {
  if (Batches.waiting(db) < bounds.maxBatches) Batches.seal(db)
  writeMeta(db, mark, Batches.nextSeq(db))
}

/**
 * Draws the line at an opening, unless an earlier one still holds. Answers whether the first reading is yet to be passed:
 * not in a file that was just made, which nobody can have a copy of.
 */
export const begin = (db: DatabaseSync, bounds: Bounds): boolean => {
  if (readMeta(db, mark) !== null) return false
  draw(db, bounds)
  return readMeta(db, "epoch") !== null
}

/** Draws it again behind what the first reading of somebody else's run counted. */
export const pass = draw

/** Rubs it out: the server took a batch. */
export const settle = (db: DatabaseSync): void => {
  if (readMeta(db, mark) !== null) writeMeta(db, mark, null)
}
