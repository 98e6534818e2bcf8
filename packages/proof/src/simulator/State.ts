/** What a simulated node was told it should serve: enough of the node state to know who may pass where. */

interface Item {
  readonly ref: number
}

interface Credential extends Item {
  readonly open: ReadonlyArray<number>
  readonly serve_until: string | null
  readonly buckets: ReadonlyArray<number>
}

interface Inbound extends Item {
  readonly is_active: boolean
}

interface Bucket extends Item {
  readonly is_blocked: boolean
}

/** A state as `GET /node/v1/state` answers it. */
export interface Wire {
  readonly generation: string
  readonly revision: number
  readonly since: number | null
  readonly grain: number
  readonly inbounds: ReadonlyArray<Inbound>
  readonly credentials: ReadonlyArray<Credential>
  readonly buckets: ReadonlyArray<Bucket>
  readonly removed: {
    readonly inbounds: ReadonlyArray<number>
    readonly credentials: ReadonlyArray<number>
    readonly buckets: ReadonlyArray<number>
  }
}

/** Somebody who may pass somewhere. */
export interface Pair {
  readonly credential: number
  readonly inbound: number
}

export interface State {
  readonly generation: () => string
  readonly revision: () => number
  readonly grain: () => number
  /** Lays what was told over what is known. */
  readonly lay: (told: Wire) => void
  /** Who may pass, by the state alone: the node's own clock and counters are not asked. */
  readonly pairs: (now: number) => ReadonlyArray<Pair>
}

const replace = <A extends Item>(known: Map<number, A>, told: ReadonlyArray<A>, gone: ReadonlyArray<number>) => {
  for (const ref of gone) known.delete(ref)
  for (const item of told) known.set(item.ref, item)
}

/** Knows nothing yet. */
export const make = (): State => {
  let [generation, revision, grain] = ["", 0, 3_600_000]
  const inbounds = new Map<number, Inbound>()
  const credentials = new Map<number, Credential>()
  const buckets = new Map<number, Bucket>()
  let known: ReadonlyArray<Pair> | undefined
  let [knownFrom, knownUntil] = [0, 0]

  const find = (now: number): ReadonlyArray<Pair> => {
    const found: Array<Pair> = []
    knownFrom = now
    knownUntil = Number.POSITIVE_INFINITY
    for (const { buckets: drawn, open, ref, serve_until } of credentials.values()) {
      const until = serve_until === null ? Number.POSITIVE_INFINITY : Date.parse(serve_until)
      if (now >= until || drawn.some((bucket) => buckets.get(bucket)?.is_blocked !== false)) continue
      knownUntil = Math.min(knownUntil, until)
      for (const inbound of open)
        if (inbounds.get(inbound)?.is_active === true) found.push({ credential: ref, inbound })
    }
    return found
  }

  return {
    generation: () => generation,
    revision: () => revision,
    grain: () => grain,
    lay: (told) => {
      if (told.since === null) for (const items of [inbounds, credentials, buckets]) items.clear()
      ;[generation, revision, grain] = [told.generation, told.revision, told.grain]
      replace(inbounds, told.inbounds, told.removed.inbounds)
      replace(credentials, told.credentials, told.removed.credentials)
      replace(buckets, told.buckets, told.removed.buckets)
      known = undefined
    },
    pairs: (now) => {
      if (known === undefined || now < knownFrom || now >= knownUntil) known = find(now)
      return known
    }
  }
}
