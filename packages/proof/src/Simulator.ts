/**
 * Many agents in one process: real HTTP and the real node protocol, without a data plane. Each keeps a long poll open,
 * answers what it is told with `applied`, and reports what it makes up for those whom its state lets pass, at its own
 * phase, until it is acknowledged. The books hold to the byte what was counted and what was acknowledged.
 *
 * ```ts
 * const simulator = await Simulator.start({ agents: [{ key, urls: [server.url] }], entries: 100, every: 10_000 })
 * await simulator.begin()                  // all agents; begin([0, 5]) only those, end([0]) kills one, begin([0]) again
 * await simulator.load({ trouble: { twice: 0.05, swapped: 0.05, cut: 0.05 } })
 * await simulator.jump(3_600_000, [3])     // one agent's clock
 * await simulator.figures()                // since the last time: answers, errors, times, states told, CPU
 * await simulator.drain(60_000)            // counts nothing more, sends all; true when all was acknowledged
 * await simulator.books()                  // per (credential, inbound): counted, acknowledged
 * await simulator.close()
 * ```
 *
 * **Details** Whom an agent reports for comes from the state it was told, as with a real one: link subscriptions to
 * inbounds of its node and they are reported. An agent that ends keeps what it counted and goes on with it when it
 * begins again. Nothing an agent is refused or that breaks ends it: it tries again, with the real agent's pauses.
 *
 * **Gotchas** `http://` only. A replaced server is reached by `aim`.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import * as Plan from "./simulator/Plan.ts"

export type { Account, AgentPlan, Figures, Fleet, Load, Told, Trouble } from "./simulator/Plan.ts"

export interface Simulator {
  readonly pid: number
  /** Starts agents by index, all by default; ones that run start anew. */
  readonly begin: (agents?: ReadonlyArray<number>) => Promise<void>
  /** Ends agents as a kill does, all by default. */
  readonly end: (agents?: ReadonlyArray<number>) => Promise<void>
  /** Changes what agents send from now on. */
  readonly load: (change: Partial<Plan.Load>) => Promise<void>
  /** Makes all agents speak to these servers from their next request on. */
  readonly aim: (urls: ReadonlyArray<string>) => Promise<void>
  /** Moves the clocks of agents, all by default. */
  readonly jump: (milliseconds: number, agents?: ReadonlyArray<number>) => Promise<void>
  /** Counts nothing more until `begin`, and sends what waits; false when not all was acknowledged in time. */
  readonly drain: (patience: number) => Promise<boolean>
  /** What happened since the last call. */
  readonly figures: () => Promise<Plan.Figures>
  readonly books: () => Promise<ReadonlyArray<Plan.Account>>
  /** Ends the process. */
  readonly close: () => Promise<void>
}

/** The program beside this file: as it is written, or as it was built. */
const program = fileURLToPath(
  new URL(`./simulator/program.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url)
)

/** Starts the process with its agents; none of them does anything before `begin`. */
export const start = async (
  fleet: Pick<Plan.Fleet, "agents"> & Partial<Omit<Plan.Fleet, "agents">>
): Promise<Simulator> => {
  const child = fork(program, { stdio: ["ignore", "inherit", "inherit", "ipc"] })
  const exited = once(child, "exit")
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (cause: Error) => void }>()
  let next = 0
  child.on("message", ({ failure, id, result }: Plan.Reply) => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (failure === undefined) asked?.resolve(result)
    else asked?.reject(new Error(`simulator: ${failure}`))
  })
  child.on("exit", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the simulator ended with ${code}`))
    waiting.clear()
  })

  const order = <Verb extends keyof Plan.Orders>(verb: Verb, given: Parameters<Plan.Orders[Verb]>[0]) =>
    new Promise<ReturnType<Plan.Orders[Verb]>>((resolve, reject) => {
      if (!child.connected) return reject(new Error("the simulator has ended"))
      const id = next++
      waiting.set(id, { resolve: resolve as (result: unknown) => void, reject })
      child.send({ id, verb, given } satisfies Plan.Order)
    })

  await order("open", { ...Plan.usual, ...fleet })
  return {
    pid: child.pid!,
    begin: async (agents) => void (await order("start", agents ?? null)),
    end: async (agents) => void (await order("stop", agents ?? null)),
    load: async (change) => void (await order("load", change)),
    aim: async (urls) => void (await order("aim", urls)),
    jump: async (milliseconds, agents) => void (await order("jump", { agents: agents ?? null, milliseconds })),
    drain: (patience) => order("drain", patience),
    figures: () => order("figures", null),
    books: () => order("books", null),
    close: async () => {
      if (child.connected) child.disconnect()
      await exited
    }
  }
}
