/** The promises of any data plane, kept by the real sing-box over each protocol. */
import { DataPlaneSuite } from "@vpnmgr/conformance"
import type { Inbound } from "@vpnmgr/core"
import { Effect } from "effect"
import { describe } from "vitest"
import { SingBoxPlane } from "../src/index.ts"
import { binaries } from "./Binaries.ts"
import * as Rig from "./Rig.ts"
import { killed, until } from "./Waiting.ts"

const make = (binary: string, protocols: ReadonlyArray<Inbound.Protocol>) =>
  Effect.gen(function* () {
    const rig = yield* Effect.acquireRelease(
      Effect.promise(() => Rig.start(protocols)),
      (rig) => Effect.promise(rig.close)
    )
    const harness: DataPlaneSuite.Harness = {
      plane: SingBoxPlane.layer({ directory: rig.directory, binary }),
      crash: Effect.promise(() => killed(rig.directory)),
      serving: (open) =>
        rig.serving(...Object.entries(open).map(([ref, inbounds]) => rig.credential(Number(ref), ...inbounds))),
      download: (credential, inbound, bytes) =>
        Effect.promise(async () => {
          const tunnel = await rig.client(binary, credential, inbound)
          return (await tunnel.download(rig.origin.port, bytes)).end
        }),
      begin: (credential, inbound) =>
        Effect.promise(async () => {
          const tunnel = await rig.client(binary, credential, inbound)
          const flow = await tunnel.download(rig.origin.port, 1e9, 1e6)
          await until(() => flow.received > 0)
          const isRunning = async () => {
            const before = flow.received
            await until(() => flow.over || flow.received > before + 100_000)
            return !flow.over
          }
          return { isRunning: Effect.promise(isRunning) }
        })
    }
    return harness
  })

for (const { path, title } of binaries) {
  describe.skipIf(path === undefined)(`${title}`, () => {
    for (const protocols of [
      ["vless", "shadowsocks"],
      ["hysteria2", "vless"]
    ] as const) {
      const suite = {
        name: protocols.join(" and "),
        capabilities: SingBoxPlane.capabilities,
        make: make(path ?? "", protocols)
      }
      DataPlaneSuite.suite(suite)
      DataPlaneSuite.adoption(suite)
    }
  })
}
