/** A node's agent for as long as it takes to report something of every kind: counted, unknown, and a batch that conflicts. */
import { Client } from "@vpnmgr/api"
import { Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"

/** Reports 1500 bytes each way for the first open credential, two entries of nobody's, and seq 1 again with others. */
export const reporting = (baseUrl: string, key: string): Promise<void> =>
  Effect.gen(function* () {
    const agent = yield* Client.makeNode({ baseUrl, key: Redacted.make(key) })
    const state = yield* agent.state({ query: {} })
    const known = state?.credentials.find(({ open }) => open.length > 0)
    const spool = crypto.randomUUID()
    const to = Date.now()
    const report = (bytes: bigint) => {
      const inbound = known?.open[0] ?? 0
      const entry = (credential: number) => ({ credential, inbound, bytesUp: bytes, bytesDown: bytes })
      const entries = [entry(known?.ref ?? 0), entry(2_000_000), entry(2_000_001)]
      const batch = { spool, seq: 1, from: to - 1000, to, entries }
      return agent.reports({ payload: { batch, sentAt: to, lowest: 1, agentVersion: "test", planeVersion: null } })
    }
    yield* report(1500n)
    yield* Effect.flip(report(1501n))
  }).pipe(Effect.provide(FetchHttpClient.layer), Effect.orDie, Effect.runPromise)
