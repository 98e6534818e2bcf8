/** A test's own rig, and the driver on it for as long as a body runs. */
import { DataPlane } from "@vpnmgr/core"
import { Effect } from "effect"
import { SingBoxPlane } from "../src/index.ts"
import * as Rig from "./Rig.ts"

const ignore: DataPlane.ApplyOptions = { book: () => Effect.void }

type Service = DataPlane.DataPlane["Service"]

export interface Plane {
  readonly apply: (
    serving: Parameters<Service["apply"]>[0],
    options?: DataPlane.ApplyOptions
  ) => Promise<DataPlane.Applied>
  readonly read: () => Promise<DataPlane.Counters>
  /** The reason of the failure that `apply` ends with. */
  readonly refusal: (
    serving: Parameters<Service["apply"]>[0],
    options?: DataPlane.ApplyOptions
  ) => Promise<DataPlane.DataPlaneError["reason"]>
}

/** Runs a body with a driver; the driver is closed after it, its sing-box goes on. */
export const withPlane = <A>(options: SingBoxPlane.Options, body: (plane: Plane) => Promise<A>): Promise<A> =>
  Effect.gen(function* () {
    const { apply, read } = yield* DataPlane.DataPlane
    return yield* Effect.promise(() =>
      body({
        apply: (serving, options = ignore) => Effect.runPromise(apply(serving, options)),
        read: () => Effect.runPromise(read),
        refusal: (serving, options = ignore) =>
          Effect.runPromise(Effect.map(Effect.flip(apply(serving, options)), ({ reason }) => reason))
      })
    )
  }).pipe(Effect.provide(SingBoxPlane.layer(options)), Effect.runPromise)

/** Runs a body with a rig that is taken down after it. */
export const withRig = async (
  body: (rig: Rig.Rig) => Promise<void>,
  ...start: Parameters<typeof Rig.start>
): Promise<void> => {
  const rig = await Rig.start(...start)
  await body(rig).finally(rig.close)
}

/** The counters of one pair; zeros when it has none. */
export const counterOf = ({ counters }: DataPlane.Counters, credential: number, inbound: number) => {
  const counter = counters.find((counter) => counter.credential === credential && counter.inbound === inbound)
  return { up: Number(counter?.up ?? 0n), down: Number(counter?.down ?? 0n) }
}
