/** What `LeaseStore` promises, by the store's own clock. */
import { assert } from "@effect/vitest"
import { LeaseStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { anId } from "./World.ts"

const long = 60_000
const short = 300

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`LeaseStore (${name})`, stores, (it) => {
    it.effect("gives a lease to one of all who want it at once", () =>
      Effect.gen(function* () {
        const leases = yield* LeaseStore.LeaseStore
        const lease = anId()
        const terms = yield* Effect.forEach(
          Array.from({ length: 20 }, () => anId()),
          (holder) => leases.take(lease, holder, long),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          terms.filter((term) => term !== null),
          [1]
        )
      })
    )

    it.effect("extends it for its holder, in the same term, past what was its end", () =>
      Effect.gen(function* () {
        const leases = yield* LeaseStore.LeaseStore
        const [lease, one, other] = [anId(), anId(), anId()]
        assert.strictEqual(yield* leases.take(lease, one, short), 1)
        assert.strictEqual(yield* leases.take(lease, one, long), 1)
        yield* Effect.sleep(2 * short)
        assert.strictEqual(yield* leases.take(lease, other, long), null)
      })
    )

    it.effect("gives it to another when its time is over, in a new term that its last holder learns of", () =>
      Effect.gen(function* () {
        const leases = yield* LeaseStore.LeaseStore
        const [lease, one, other] = [anId(), anId(), anId()]
        assert.strictEqual(yield* leases.take(lease, one, short), 1)
        assert.strictEqual(yield* leases.take(lease, other, short), null)
        yield* Effect.sleep(2 * short)
        assert.strictEqual(yield* leases.take(lease, other, short), 2)
        assert.strictEqual(yield* leases.take(lease, one, short), null)
        yield* Effect.sleep(2 * short)
        assert.strictEqual(yield* leases.take(lease, one, short), 3)
      })
    )

    it.effect("gives it to another at once when its holder lets go, and to nobody when somebody else does", () =>
      Effect.gen(function* () {
        const leases = yield* LeaseStore.LeaseStore
        const [lease, one, other] = [anId(), anId(), anId()]
        yield* leases.take(lease, one, long)
        yield* leases.release(lease, other)
        assert.strictEqual(yield* leases.take(lease, other, long), null)
        yield* leases.release(lease, one)
        assert.strictEqual(yield* leases.take(lease, other, long), 2)
      })
    )

    it.effect("does not believe an end that lies further ahead than two spans", () =>
      Effect.gen(function* () {
        const leases = yield* LeaseStore.LeaseStore
        const [lease, one, other] = [anId(), anId(), anId()]
        yield* leases.take(lease, one, 3 * long)
        assert.strictEqual(yield* leases.take(lease, other, 2 * long), null)
        assert.strictEqual(yield* leases.take(lease, other, long), 2)
      })
    )

    it.effect("keeps leases of different names apart", () =>
      Effect.gen(function* () {
        const leases = yield* LeaseStore.LeaseStore
        const [one, other] = [anId(), anId()]
        assert.strictEqual(yield* leases.take(anId(), one, long), 1)
        assert.strictEqual(yield* leases.take(anId(), other, long), 1)
      })
    )
  })
