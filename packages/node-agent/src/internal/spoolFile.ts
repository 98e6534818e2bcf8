/** The spool's file: opened by one process at a time, its tables, and the marker that tells a re-made file. */
import { randomUUID } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { broken } from "./faultPoint.ts"

const version = 1

const tables = (batches: "TABLE" | "TEMP TABLE") => `
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS baseline (
  epoch TEXT NOT NULL, credential INTEGER NOT NULL, inbound INTEGER NOT NULL, up INTEGER NOT NULL, down INTEGER NOT NULL,
  PRIMARY KEY (epoch, credential, inbound)) STRICT, WITHOUT ROWID;
CREATE ${batches} IF NOT EXISTS batch (
  seq INTEGER PRIMARY KEY, began INTEGER NOT NULL, ended INTEGER NOT NULL, edge INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'sent', 'acknowledged', 'refused'))) STRICT;
CREATE ${batches} IF NOT EXISTS entry (
  seq INTEGER NOT NULL, credential INTEGER NOT NULL, inbound INTEGER NOT NULL, up INTEGER NOT NULL, down INTEGER NOT NULL,
  PRIMARY KEY (seq, credential, inbound)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS carried (
  bucket INTEGER NOT NULL, edge INTEGER NOT NULL, seq INTEGER NOT NULL, ended INTEGER NOT NULL, weighted TEXT NOT NULL,
  PRIMARY KEY (bucket, edge)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock_step (seq INTEGER PRIMARY KEY, moved INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS node_state (
  kind TEXT PRIMARY KEY CHECK (kind IN ('newest', 'accepted')),
  generation TEXT NOT NULL, revision INTEGER NOT NULL, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
`

/** Writes a small file so that it is whole and on the disk when this returns. */
const writeDurably = (file: string, text: string): void => {
  const fresh = `${file}.new`
  const handle = fs.openSync(fresh, "w", 0o600)
  fs.writeSync(handle, text)
  fs.fsyncSync(handle)
  fs.closeSync(handle)
  fs.renameSync(fresh, file)
  const directory = fs.openSync(path.dirname(file), "r")
  fs.fsyncSync(directory)
  fs.closeSync(directory)
}

const readMarker = (file: string): string | null => (fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : null)

/** Runs a change as one durable transaction: all of it is on the disk when this returns, or none of it. */
export const transact = <A>(db: DatabaseSync, change: () => A): A => {
  db.exec("BEGIN IMMEDIATE")
  try {
    const answer = change()
    db.exec("COMMIT")
    return answer
  } catch (cause) {
    if (db.isTransaction) db.exec("ROLLBACK")
    throw cause
  }
}

/** Reads one value of `meta`; null when it was never written. */
export const readMeta = (db: DatabaseSync, name: string): string | number | null => {
  const row = db.prepare("SELECT value FROM meta WHERE name = ?").get(name)
  const value = row?.["value"]
  return typeof value === "string" || typeof value === "number" ? value : null
}

export const writeMeta = (db: DatabaseSync, name: string, value: string | number | null): void => {
  db.prepare("INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value").run(name, value)
}

export interface SpoolFile {
  readonly db: DatabaseSync
  readonly id: string
}

/**
 * Opens the spool of a directory, or makes it with a random id, and holds it until it is closed. One that is there is not
 * written to: an agent starts on a full disk, too. Throws when another
 * process has it (`errcode` 5). `spool-id` in the plane's directory names the spool that read the plane's runs; when
 * it names another one, this spool was re-made or brought back, and does not know what was counted already.
 */
export const open = (directory: string, planeDirectory: string): SpoolFile => {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  fs.mkdirSync(planeDirectory, { recursive: true, mode: 0o700 })
  const file = path.join(directory, "spool.sqlite")
  fs.closeSync(fs.openSync(file, "a", 0o600))
  const db = new DatabaseSync(file)
  try {
    db.exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY"
    )
    const found = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0)
    if (found > version) throw new Error(`spool.sqlite has format ${found}: a newer agent wrote it, upgrade this one`)
    return transact(db, () => {
      db.exec(tables(broken("spool") ? "TEMP TABLE" : "TABLE"))
      if (found !== version) db.exec(`PRAGMA user_version = ${version}`)
      const known = readMeta(db, "id")
      const id = typeof known === "string" ? known : randomUUID()
      if (known !== id) writeMeta(db, "id", id)
      const marker = readMarker(path.join(planeDirectory, "spool-id"))
      if (marker !== null && marker !== id && marker !== readMeta(db, "formerly")) writeMeta(db, "remade", 1)
      return { db, id }
    })
  } catch (cause) {
    db.close()
    throw cause
  }
}

/** Gives the spool another random id, and remembers the one before, which the plane's directory may still name. */
export const rename = (db: DatabaseSync, id: string): string => {
  const fresh = randomUUID()
  writeMeta(db, "formerly", id)
  writeMeta(db, "id", fresh)
  return fresh
}

/** Names this spool in the plane's directory, once, before the plane is first started or read. */
export const mark = (planeDirectory: string, id: string): void => {
  const marker = path.join(planeDirectory, "spool-id")
  if (readMarker(marker) !== id) writeDurably(marker, `${id}\n`)
}
