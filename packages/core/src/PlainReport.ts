/**
 * Reads a traffic report as agents write it, without a schema's machinery for each of its entries: 10,000 of them took
 * the server's thread longer to decode than PostgreSQL to count. What it reads it reads as `TrafficReport.Report` does;
 * anything else it leaves to that, which says what is wrong.
 */
import type { Instant as InstantType } from "./Instant.ts"
import * as Instant from "./Instant.ts"
import * as Id from "./Id.ts"
import type { Entry, Report } from "./TrafficReport.ts"
import { maxEntries } from "./TrafficReport.ts"

type Json = Readonly<Record<string, unknown>>

const least = -(2n ** 63n)
const most = 2n ** 63n - 1n

const isObject = (value: unknown, keys: number): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === keys

const bytes = (value: unknown): bigint | undefined => {
  if (Number.isSafeInteger(value)) return BigInt(value as number)
  if (typeof value !== "string" || !/^-?\d{1,19}$/.test(value)) return undefined
  const whole = BigInt(value)
  return whole < least || whole > most ? undefined : whole
}

const entry = (value: unknown): Entry | undefined => {
  if (!isObject(value, 4)) return undefined
  const { credential, inbound } = value
  const [bytesUp, bytesDown] = [bytes(value["bytes_up"]), bytes(value["bytes_down"])]
  if (!Number.isSafeInteger(credential) || !Number.isSafeInteger(inbound)) return undefined
  if (bytesUp === undefined || bytesDown === undefined) return undefined
  return { credential: credential as number, inbound: inbound as number, bytesUp, bytesDown }
}

const instant = (value: unknown): InstantType | undefined =>
  typeof value === "string" ? Instant.parse(value) : undefined

const version = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 100 && /^[\x20-\x7e]*$/.test(value)

/** Reads a report; undefined for what is not plainly one. */
export const read = (json: unknown): Report | undefined => {
  if (!isObject(json, 5)) return undefined
  const { agent_version: agentVersion, batch, lowest, plane_version: planeVersion } = json
  const sentAt = instant(json["sent_at"])
  if (!isObject(batch, 5) || sentAt === undefined || !Number.isSafeInteger(lowest)) return undefined
  if (!version(agentVersion) || !(planeVersion === null || version(planeVersion))) return undefined
  const { entries: given, seq, spool } = batch
  const [from, to] = [instant(batch["from"]), instant(batch["to"])]
  if (from === undefined || to === undefined || typeof spool !== "string" || !Id.isUuid(spool)) return undefined
  if (!Number.isSafeInteger(seq) || (seq as number) < 1) return undefined
  if (!Array.isArray(given) || given.length > maxEntries) return undefined
  const entries: Array<Entry> = []
  for (const each of given) {
    const read = entry(each)
    if (read === undefined) return undefined
    entries.push(read)
  }
  return {
    batch: { spool, seq: seq as number, from, to, entries },
    sentAt,
    lowest: lowest as number,
    agentVersion,
    planeVersion
  }
}
