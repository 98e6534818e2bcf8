/** A subscription as the run knows it, and the books of what was changed: every change once, whatever became of its answer. */

export interface Kept {
  readonly id: string
  readonly ownerId: string
  readonly title: string
  /** `/s/…` */
  path: string
  etag: string
  isSuspended: boolean
  isDeleted: boolean
  /** Bytes that may be used; null = as many as it likes. */
  maxTraffic: number | null
  /** How often its credential was changed. */
  rotations: number
  /** Grows with every change; odd while one is under way. */
  version: number
  /** When the last change was answered, milliseconds of `performance.now()`. */
  changedAt: number
}

export interface Books {
  /** Books that something was done to a thing. */
  readonly book: (action: string, target: string) => void
  /** How often each was done: `subscription.suspend 0199…`. */
  readonly changes: () => ReadonlyMap<string, number>
  /** Changes in all, and by action. */
  readonly byAction: () => ReadonlyMap<string, number>
}

/** Opens empty books. */
export const books = (): Books => {
  const changes = new Map<string, number>()
  const byAction = new Map<string, number>()
  const raise = (counts: Map<string, number>, name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1)
  return {
    book: (action, target) => {
      raise(changes, `${action} ${target}`)
      raise(byAction, action)
    },
    changes: () => changes,
    byAction: () => byAction
  }
}

/** Runs a change of it; whoever looks at it sees that one is under way, and when the last ended. */
export const changing = async <A>(kept: Kept, change: () => Promise<A>): Promise<A> => {
  kept.version++
  try {
    return await change()
  } finally {
    kept.version++
    kept.changedAt = performance.now()
  }
}
