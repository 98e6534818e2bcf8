/** What a spool keeps of batches it may delete: the weighed pieces that grants, or windows to come, still ask for. */
import type { DatabaseSync } from "node:sqlite"
import { Instant } from "@vpnmgr/core"
import type { Piece, Scales } from "../Tally.ts"
import { wanted, weigh } from "../Tally.ts"
import * as Rows from "./spoolRows.ts"

export interface Carry {
  readonly scales: Scales
  readonly spool: string
  readonly now: Instant.Instant
  /** Milliseconds. */
  readonly grain: number
}

const edgeOf = ({ scales, grain }: Carry, piece: Piece): Instant.Instant => {
  const end = scales.grants.get(piece.bucket)?.windowEnd ?? Instant.never
  return piece.to > end ? Math.ceil(piece.to / grain) * grain : 0
}

/**
 * Folds acknowledged batches up to a seq into `carried`, one row per bucket inside its grant's window and one per grain
 * after it, and deletes them. Exact: a grant composed after an acknowledgement has that batch inside. Runs inside the
 * caller's transaction.
 */
export const fold = (db: DatabaseSync, acknowledgedTo: number, carry: Carry): void => {
  const isWanted = wanted(carry.scales, carry.spool, carry.now)
  const rows = new Map(Rows.carried(db).map((row) => [`${row.bucket}/${row.edge}`, row]))
  const remove = db.prepare("DELETE FROM carried WHERE bucket = ? AND edge = ?")
  for (const [name, row] of rows) {
    if (isWanted(row)) continue
    remove.run(row.bucket, row.edge)
    rows.delete(name)
  }

  const changed = new Set<string>()
  for (const piece of Rows.counted(db, acknowledgedTo).flatMap((counted) => weigh(carry.scales, counted))) {
    if (!isWanted(piece)) continue
    const edge = edgeOf(carry, piece)
    const name = `${piece.bucket}/${edge}`
    const before = rows.get(name)
    rows.set(name, {
      bucket: piece.bucket,
      edge,
      seq: Math.max(piece.seq, before?.seq ?? 0),
      to: Math.max(piece.to, before?.to ?? 0),
      weighted: piece.weighted + (before?.weighted ?? 0n)
    })
    changed.add(name)
  }

  const save = db.prepare("INSERT OR REPLACE INTO carried VALUES (?, ?, ?, ?, ?)")
  for (const name of changed) {
    const row = rows.get(name)
    if (row !== undefined) save.run(row.bucket, row.edge, row.seq, row.to, String(row.weighted))
  }
  db.prepare("DELETE FROM entry WHERE seq IN (SELECT seq FROM batch WHERE state = 'acknowledged' AND seq <= ?)").run(
    acknowledgedTo
  )
  db.prepare("DELETE FROM batch WHERE state = 'acknowledged' AND seq <= ?").run(acknowledgedTo)
}

/** True when `fold` has something to do. */
export const isDue = (db: DatabaseSync, acknowledgedTo: number): boolean =>
  db.prepare("SELECT 1 FROM batch WHERE state = 'acknowledged' AND seq <= ?").get(acknowledgedTo) !== undefined ||
  db.prepare("SELECT 1 FROM carried").get() !== undefined
