/**
 * Which batches a spool's file held already when it was opened, and which were made since.
 *
 * Nothing tells a file that was brought back from a copy from one that was merely closed, until the server refuses a
 * number: then what was there at the opening was delivered in the time that the file forgot, and what was made since was
 * not. The line between them is drawn behind the first reading, for somebody may have read that run before, or in front
 * of a run that this agent starts itself; nothing is left in front of it to merge into. It holds from the first opening
 * after an acknowledgement until the next one. Every verb runs inside the caller's transaction.
 */
import type { DatabaseSync } from "node:sqlite"
import type { Bounds } from "./spoolBatches.ts"
import * as Batches from "./spoolBatches.ts"
import { readMeta, writeMeta } from "./spoolFile.ts"

const line = "made_since"

/** When a batch was made: before the line, since, or unknown for something was acknowledged. */
export type Origin = "before" | "since" | "unknown"

/** When a batch was made. */
export const of = (db: DatabaseSync, seq: number): Origin => {
  const from = readMeta(db, line)
  return typeof from !== "number" ? "unknown" : seq < from ? "before" : "since"
}

/** True when the line is yet to be drawn: not in a file that was just made, nor where an earlier one still holds. */
export const isDue = (db: DatabaseSync): boolean =>
  readMeta(db, line) === null && (readMeta(db, "epoch") !== null || Batches.nextSeq(db) > 1)

/** Draws the line: what comes from now on was made since. */
export const draw = (db: DatabaseSync, bounds: Bounds): void => {
  if (Batches.waiting(db) < bounds.maxBatches) Batches.seal(db)
  writeMeta(db, line, Batches.nextSeq(db))
}

/** Rubs it out: the server took a batch. */
export const settle = (db: DatabaseSync): void => {
  if (readMeta(db, line) !== null) writeMeta(db, line, null)
}
