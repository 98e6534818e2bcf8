/** Deals the blows: ends a process at a place, brings it back, and says what was hit. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Arena } from "../Arena.ts"
import * as Expect from "../Expect.ts"
import type { Process } from "../Process.ts"
import type { Blow } from "./Plan.ts"
import type { Truth } from "./Truth.ts"

/** Environments that each start of a process reads anew. */
export interface Environments {
  readonly server: Record<string, string>
  readonly agent: Record<string, string>
}

export interface Hit {
  readonly blow: Blow
  /** What it was dealt to. */
  readonly at: string
  /** The line that proves it, for a place in the program. */
  readonly line: string | undefined
}

/** The node whose sing-box is killed; the others' never is. */
export const victim = 0

/** Readings are this far apart at most, milliseconds: the interval and what a busy machine adds. */
export const readWithin = 700

const patience = 30_000
const point = /fault-point (\S+)\s*$/

/** Waits until the process has killed itself at the place, and answers the line that says so. */
const struck = async (what: string, process: () => Process | undefined, name: string): Promise<string> => {
  const line = () => point.exec(process()?.output() ?? "")
  await Expect.soon(
    `${what} dies at ${name}`,
    patience,
    () => (process()?.isRunning() === false ? true : undefined),
    () => "it lives"
  )
  const match = line()
  Expect.same(`the last line of ${what}`, match?.[1], name)
  return match![0].trim()
}

/** Deals one blow and leaves everything running again. */
export const deal = async (
  arena: Arena,
  truths: ReadonlyArray<Truth>,
  env: Environments,
  blow: Blow,
  node: number
): Promise<Hit> => {
  const agentNode = arena.nodes[node]!
  const atAgent = `the agent of ${agentNode.name}`
  switch (blow) {
    case "agent": {
      await agentNode.stopAgent("SIGKILL")
      await agentNode.startAgent()
      return { blow, at: atAgent, line: undefined }
    }
    case "agent.booked":
    case "agent.sealed":
    case "agent.answered": {
      await agentNode.stopAgent("SIGKILL")
      env.agent["VPNMGR_KILL_AT"] = `${blow}:1`
      await agentNode.startAgent()
      delete env.agent["VPNMGR_KILL_AT"]
      const line = await struck(atAgent, agentNode.agent, blow)
      await agentNode.startAgent()
      return { blow, at: atAgent, line }
    }
    case "server": {
      await arena.server.stop("SIGKILL")
      await arena.server.start()
      return { blow, at: "the server", line: undefined }
    }
    case "server.recorded":
    case "server.committed": {
      await arena.server.stop("SIGKILL")
      env.server["VPNMGR_KILL_AT"] = `${blow}:1`
      await arena.server.start().catch(() => undefined)
      delete env.server["VPNMGR_KILL_AT"]
      const line = await struck("the server", arena.server.process, blow)
      await arena.server.start()
      return { blow, at: "the server", line }
    }
    case "postgres": {
      await arena.database.postgres.kill9()
      await sleep(200)
      await arena.database.postgres.start()
      return { blow, at: "PostgreSQL", line: undefined }
    }
    case "refill": {
      const { epoch } = await agentNode.run()
      await arena.api.create({ title: "takes a spare" })
      await arena.api.refill()
      await Expect.soon(
        "the planned restart",
        patience,
        async () => ((await agentNode.run()).epoch === epoch ? undefined : true),
        () => epoch
      )
      return { blow, at: "every sing-box", line: undefined }
    }
    case "sing-box": {
      await sleep(1500)
      await truths[victim]!.kill(readWithin)
      return { blow, at: `sing-box of ${arena.nodes[victim]!.name}`, line: undefined }
    }
  }
}
