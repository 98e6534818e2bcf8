/**
 * Which batches a spool's file held already when it was opened, and which were made since.
 *
 * Nothing tells a file that was brought back from a copy from one that was merely closed, until the server refuses a
 * number: then what was there at the opening was delivered in the time that the file forgot, and what was made since was
 * not. The line between them is drawn behind the first reading, for somebody may have read that run before, or in front
 * of a run that this agent starts itself; nothing is left in front of it to merge into. It holds until a batch made since
 * is acknowledged; that an older one is says nothing, for it may have been a replay.
 *
 * A batch in front of the line that the server knows with other contents shows that its bytes went out cut otherwise.
 * Then nothing in front of the line is sent any more: its number may be free, and its bytes counted nevertheless. Every
 * verb runs inside the caller's transaction.
 */
import type { DatabaseSync } from "node:sqlite"
import type { Bounds } from "./spoolBatches.ts"
import * as Batches from "./spoolBatches.ts"
import { readMeta, writeMeta } from "./spoolFile.ts"

const line = "made_since"
const isCutOtherwise = "cut_otherwise"

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

/** Takes what waits in front of the line for delivered, once that is known. */
export const pass = (db: DatabaseSync): void => {
  if (readMeta(db, isCutOtherwise) !== 1) return
  const to = readMeta(db, line)
  const isPassed = "UPDATE batch SET state = 'acknowledged' WHERE state = 'sent' AND seq < ?"
  db.prepare(isPassed).run(typeof to === "number" ? to : Number.MAX_SAFE_INTEGER)
}

/** Draws the line: what comes from now on was made since. */
export const draw = (db: DatabaseSync, bounds: Bounds): void => {
  if (Batches.waiting(db) < bounds.maxBatches) Batches.seal(db)
  writeMeta(db, line, Batches.nextSeq(db))
  pass(db)
}

/** Learns that a batch in front of the line was delivered with other contents. */
export const cutOtherwise = (db: DatabaseSync): void => {
  writeMeta(db, isCutOtherwise, 1)
  pass(db)
}

/** Rubs it out: all that follows goes out as it was made. */
export const erase = (db: DatabaseSync): void => {
  if (readMeta(db, line) !== null) writeMeta(db, line, null)
  if (readMeta(db, isCutOtherwise) !== null) writeMeta(db, isCutOtherwise, null)
}

/** Rubs it out when the batch that was acknowledged is behind it. */
export const settle = (db: DatabaseSync, seq: number): void => {
  if (of(db, seq) === "since") erase(db)
}
