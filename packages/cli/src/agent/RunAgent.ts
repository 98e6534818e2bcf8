/** Wires a node's agent: its parts, sing-box below them, the server above. */
import { Agent, HttpControlPlane, Uptime } from "@vpnmgr/node-agent"
import { SingBoxPlane } from "@vpnmgr/plane-sing-box"
import { Console, Effect, Layer } from "effect"
import { execFile } from "node:child_process"
import * as os from "node:os"
import * as path from "node:path"
import { Failed, failed } from "../Failed.ts"
import * as Logging from "../Logging.ts"
import type { AgentSettings } from "../settings/AgentSettings.ts"
import { untilSignal } from "../Signals.ts"
import { version } from "../Version.ts"

/** Runs the program once, so that a wrong path is said in words before anything starts. */
const checkProgram = (program: string) =>
  Effect.callback<void, Failed>((resume) => {
    execFile(program, ["version"], { timeout: 30_000 }, (error) =>
      resume(
        error === null
          ? Effect.void
          : Effect.fail(
              failed(`${program}: sing-box cannot be run (${error.code ?? error.message}); name it with --sing-box`)
            )
      )
    )
  })

/** As the operating system counts it, sleep included. */
const uptime = Effect.sync(() => os.uptime() * 1000)

/** Says what kept the agent from starting or going on. */
const inWords = (error: { readonly _tag: string }): Failed => {
  if (error instanceof Failed) return error
  const reason = "reason" in error ? (error.reason as { readonly _tag: string }) : error
  if (reason._tag === "DirectoryInUse")
    return failed("another agent works in this directory: stop it first, or choose another --directory")
  return failed("detail" in reason ? String(reason.detail) : reason._tag)
}

/** Runs the agent until a signal stops it; sing-box goes on. */
export const run = Effect.fn("RunAgent")(function* (settings: AgentSettings) {
  const { agentDirectory, allowInsecure, logLevel, nodeKey, readEvery, reportEvery, singBox, url } = settings
  yield* checkProgram(singBox)
  const directory = path.resolve(agentDirectory)
  const planeDirectory = path.join(directory, "sing-box")
  const parts = Agent.layer({ directory, planeDirectory, readEvery, reportEvery, agentVersion: version }).pipe(
    Layer.provide(SingBoxPlane.layer({ directory: planeDirectory, binary: singBox })),
    Layer.provide(HttpControlPlane.layer({ url, key: nodeKey, allowInsecure: allowInsecure === "yes" })),
    Layer.provide(Layer.succeed(Uptime.Uptime, uptime))
  )
  const ready = Console.log(`vpnmgr agent is running for ${url}; stopping it leaves sing-box running`)
  yield* untilSignal(Effect.provide(Effect.andThen(ready, Agent.run), parts)).pipe(
    Effect.mapError(inWords),
    Effect.provide(Logging.layerDaemon(logLevel))
  )
})
