/** An agent to be killed: a process of its own, over a plane that outlives it because its counters follow the clock. */
import { Effect, Layer, Redacted } from "effect"
import { DataPlane, Instant } from "@vpnmgr/core"

Object.assign(globalThis, { __VPNMGR_TEST_BUILD__: true })

const [directory = "", url = "", began = "0"] = process.argv.slice(2)

const plane = Layer.succeed(
  DataPlane.DataPlane,
  DataPlane.DataPlane.of({
    capabilities: { perUserCounters: true, cutsOpenConnections: true, liveChanges: true, speedLimits: false },
    apply: () => Effect.succeed({ restarted: false, version: "clock 1", certificates: [] }),
    read: Effect.map(Instant.now, (at) => ({
      epoch: "one",
      at,
      counters: [{ credential: 1, inbound: 1, up: BigInt(at - Number(began)), down: 0n }]
    }))
  })
)

const { Agent, HttpControlPlane } = await import("../src/index.ts")
const key = Redacted.make("0123456789abcdef0123456789abcdef")
const running = Effect.runFork(
  Agent.run.pipe(
    Effect.provide(Agent.layer({ directory, readEvery: 20, reportEvery: 40 })),
    Effect.provide(Layer.mergeAll(plane, HttpControlPlane.layer({ url, key })))
  )
)
process.on("SIGTERM", () => running.interruptUnsafe())
