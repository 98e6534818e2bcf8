/**
 * The seal of a closed day of the audit trail: SHA-256 over the day, the digest of the seal before it and every record
 * of the day. Whoever changes, removes or adds a record afterwards, or a seal, leaves days that do not match.
 *
 * A seal proves nothing to those who do not know its digest: who can rewrite the whole database can also seal it anew.
 * Keep the newest digest elsewhere.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { Schema } from "effect"
import { Hex } from "effect/encoding"
import type { AuditRecord } from "./AuditLog.ts"
import * as Id from "./Id.ts"
import * as Instant from "./Instant.ts"
import * as Wire from "./Wire.ts"

/** A UTC day, `2026-01-31`. */
export const Day = Schema.String.pipe(Schema.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}$/))).annotate({
  description: "a UTC day, such as 2026-01-31"
})
export type Day = typeof Day.Type

/** The day of an instant. */
export const dayOf = (instant: Instant.Instant): Day => Instant.format(instant).slice(0, 10)

/** When a day begins. */
export const startOf = (day: Day): Instant.Instant => Date.parse(`${day}T00:00:00Z`)

export const AuditSeal = Wire.struct({
  /** A UUIDv7 of the day's beginning. */
  id: Id.Uuid,
  day: Day,
  recordCount: Schema.Int,
  /** The digest of the seal before; null for the first one. */
  previous: Schema.NullOr(Schema.String),
  /** SHA-256, hex. */
  digest: Schema.String,
  sealedAt: Instant.Instant,
  /** When retention removed the day's records; the seal stays. */
  detachedAt: Schema.NullOr(Instant.Instant)
})
export type AuditSeal = typeof AuditSeal.Type

const sorted = (value: Schema.Json): Schema.Json =>
  Array.isArray(value)
    ? value.map(sorted)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, each]) => [key, sorted(each)])
        )
      : value

/** The one spelling of a record: a JSON array of its fields, keys of objects in the order of their code units. */
export const canonical = ({ id, timestamp, actorId, action, targetType, targetId, meta }: AuditRecord): string =>
  JSON.stringify([id, Instant.format(timestamp), actorId, action, targetType, targetId, sorted(meta)])

/** Begins the digest of a day. Records are added in the order of their ids. */
export const begin = (day: Day, previous: string | null) => {
  const encoder = new TextEncoder()
  const hash = sha256.create().update(encoder.encode(`vpnmgr/audit/1\n${day}\n${previous ?? ""}\n`))
  let count = 0
  return {
    add: (records: ReadonlyArray<AuditRecord>): void => {
      for (const record of records) hash.update(encoder.encode(`${canonical(record)}\n`))
      count += records.length
    },
    /** Ends it; nothing can be added after. */
    end: (): { readonly recordCount: number; readonly digest: string } => ({
      recordCount: count,
      digest: Hex.encode(hash.digest())
    })
  }
}
