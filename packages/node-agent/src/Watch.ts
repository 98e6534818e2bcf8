/** Says when a report cannot wait: a bucket ran dry, or half of what was left at the last report is gone. */
import type { NodeState, Quota } from "@vpnmgr/core"

/** What was left in each bucket when a report was last made. */
export interface Watch {
  /** True when a report is due at once; asks once for each reason. `sealings` grows with every report made. */
  readonly isPressing: (standings: ReadonlyMap<number, NodeState.Standing>, sealings: number) => boolean
}

export const make = (): Watch => {
  let sealed = -1
  let before = new Map<number, Quota.Weighted>()
  return {
    isPressing: (standings, sealings) => {
      const isFresh = sealings !== sealed
      sealed = sealings
      let isPressing = false
      const now = new Map<number, Quota.Weighted>()
      for (const [bucket, { left }] of standings) {
        if (left === null) continue
        const then = before.get(bucket) ?? left
        const isHalved = left < then && left * 2n <= then
        isPressing = isPressing || isHalved
        now.set(bucket, isFresh || isHalved || left > then ? left : then)
      }
      before = now
      return isPressing
    }
  }
}
