/** What the spool's tables hold, read as values. */
import type { DatabaseSync } from "node:sqlite"
import type { Amount, Baseline } from "../Baseline.ts"
import { key } from "../Baseline.ts"
import type { Counted, Piece } from "../Tally.ts"
import { readMeta } from "./spoolFile.ts"

type Row = Record<string, unknown>

const amount = (row: Row): Amount => ({
  credential: Number(row["credential"]),
  inbound: Number(row["inbound"]),
  up: BigInt(String(row["up"])),
  down: BigInt(String(row["down"]))
})

const bytesOf = (db: DatabaseSync, sql: string) => {
  const statement = db.prepare(sql)
  statement.setReadBigInts(true)
  return statement
}

/** The booked counters of the newest epoch. The map is the caller's to change. */
export const baseline = (db: DatabaseSync): Baseline & { readonly counters: Map<string, Amount> } => {
  const epoch = readMeta(db, "epoch")
  const counters = new Map<string, Amount>()
  for (const row of bytesOf(db, "SELECT * FROM baseline").iterate()) {
    const one = amount(row)
    counters.set(key(one), one)
  }
  return { epoch: typeof epoch === "string" ? epoch : null, counters }
}

/** A batch's entries, always in the same order: they are what its digest is of. */
export const entries = (db: DatabaseSync, seq: number): ReadonlyArray<Amount> =>
  bytesOf(db, "SELECT * FROM entry WHERE seq = ? ORDER BY credential, inbound").all(seq).map(amount)

/** The bytes of every batch not deleted yet but those set aside, or of those acknowledged up to a seq. */
export const counted = (db: DatabaseSync, acknowledgedTo?: number): ReadonlyArray<Counted> => {
  const sql = "SELECT entry.*, ended FROM entry JOIN batch USING (seq)"
  const rows =
    acknowledgedTo === undefined
      ? bytesOf(db, `${sql} WHERE state <> 'refused'`).all()
      : bytesOf(db, `${sql} WHERE state = 'acknowledged' AND seq <= ?`).all(acknowledgedTo)
  return rows.map((row) => ({ ...amount(row), seq: Number(row["seq"]), to: Number(row["ended"]) }))
}

/** The weighed pieces of batches that are deleted already, with the grain each belongs to (0: inside the grant's window). */
export const carried = (db: DatabaseSync): ReadonlyArray<Piece & { readonly edge: number }> =>
  db
    .prepare("SELECT * FROM carried")
    .all()
    .map((row) => ({
      bucket: Number(row["bucket"]),
      edge: Number(row["edge"]),
      seq: Number(row["seq"]),
      to: Number(row["ended"]),
      weighted: BigInt(String(row["weighted"]))
    }))

/** A batch that may still merge, and how many entries it holds. */
export interface Open {
  readonly seq: number
  readonly edge: number
  readonly size: number
}

/** The open batches, oldest first. */
export const open = (db: DatabaseSync): ReadonlyArray<Open> =>
  db
    .prepare(
      "SELECT seq, edge, (SELECT count(*) FROM entry WHERE entry.seq = batch.seq) AS size FROM batch WHERE state = 'open' ORDER BY seq"
    )
    .all()
    .map((row) => ({ seq: Number(row["seq"]), edge: Number(row["edge"]), size: Number(row["size"]) }))
