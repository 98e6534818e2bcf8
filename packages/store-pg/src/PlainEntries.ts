/**
 * The entries of a batch that one look at a counter may settle, as columns: by credential, which is the order of the
 * locks, those of one credential and inbound added up. Columns and not objects: this is done for every entry there is.
 */
import type { TrafficReport, Usage, UsageStore } from "@vpnmgr/core"
import { Usage as Rules } from "@vpnmgr/core"

type Entry = TrafficReport.Entry

/** What is known of the inbounds and the link of a batch before its counters are looked at. */
export interface Ground {
  readonly linkSpeed: bigint | null
  readonly inbounds: ReadonlyMap<number, Usage.InboundFacts>
}

export interface PlainEntries {
  readonly credentials: ReadonlyArray<number>
  /** Index of each one's inbound among those of the ground. */
  readonly places: ReadonlyArray<number>
  readonly ups: ReadonlyArray<bigint>
  readonly downs: ReadonlyArray<bigint>
  /** Where the entries of each credential begin, and at last where all of them end. */
  readonly starts: ReadonlyArray<number>
  /** What is left to `Usage.settle`. */
  readonly rest: ReadonlyArray<Entry>
}

const largestRef = 2 ** 31 - 1
const largestInt8 = 2n ** 63n - 1n

/** An entry's index is beside its credential in one number, which sorts faster than anything that is compared. */
const indexes = 2 ** 16

/** Sorts entries into columns; a batch has fewer than 65,536. */
export const of = ({ entries, from, key, to }: UsageStore.Counting, { inbounds, linkSpeed }: Ground): PlainEntries => {
  const most = Rules.mostBytes(linkSpeed, from, to)
  const limit = most < largestInt8 ? most : largestInt8
  const placeOf = new Map(
    [...inbounds].flatMap(([ref, { nodeId }], index) => (nodeId === key.nodeId ? [[ref, index] as const] : []))
  )
  const rest: Array<Entry> = []
  const order = new Float64Array(entries.length)
  let count = 0
  entries.forEach((entry, index) => {
    const { bytesDown, bytesUp, credential, inbound } = entry
    const bytes = bytesUp + bytesDown
    const isPlain = bytesUp >= 0n && bytesDown >= 0n && bytes > 0n && bytes <= limit && placeOf.has(inbound)
    if (isPlain && credential > 0 && credential <= largestRef) order[count++] = credential * indexes + index
    else rest.push(entry)
  })
  const credentials: Array<number> = []
  const places: Array<number> = []
  const ups: Array<bigint> = []
  const downs: Array<bigint> = []
  const starts: Array<number> = []
  for (const position of order.subarray(0, count).sort()) {
    const entry = entries[position % indexes]!
    const place = placeOf.get(entry.inbound)!
    const isNew = credentials.at(-1) !== entry.credential
    const same = isNew ? -1 : places.indexOf(place, starts.at(-1))
    if (same === -1) {
      if (isNew) starts.push(credentials.length)
      credentials.push(entry.credential)
      places.push(place)
      ups.push(entry.bytesUp)
      downs.push(entry.bytesDown)
    } else if (ups[same]! + downs[same]! + entry.bytesUp + entry.bytesDown > largestInt8) rest.push(entry)
    else {
      ups[same]! += entry.bytesUp
      downs[same]! += entry.bytesDown
    }
  }
  starts.push(credentials.length)
  return { credentials, places, ups, downs, starts, rest }
}

/** The entries again, of the groups that fulfil a condition on their number, from 0. */
export const entriesOf = (
  { credentials, downs, places, starts, ups }: PlainEntries,
  { inbounds }: Ground,
  wanted: (group: number) => boolean
): ReadonlyArray<Entry> => {
  const refs = [...inbounds.keys()]
  return starts.slice(0, -1).flatMap((start, group) =>
    wanted(group)
      ? credentials.slice(start, starts[group + 1]).map((credential, offset) => ({
          credential,
          inbound: refs[places[start + offset]!]!,
          bytesUp: ups[start + offset]!,
          bytesDown: downs[start + offset]!
        }))
      : []
  )
}
