/** Runs load from a process of its own, and says what it cost the servers behind it. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import * as Cpu from "./Cpu.ts"
import type { Job, Outcome } from "./Job.ts"

const program = fileURLToPath(new URL("./generator.ts", import.meta.url))

export interface Measured extends Outcome {
  /** CPU per request, microseconds: of the server asked, and of PostgreSQL with all its backends. */
  readonly serverCpu: number
  readonly postgresCpu: number
  /** How much of one core the load itself took, 0 to 1: near 1, it was the load that was measured. */
  readonly loadShare: number
}

/** The processes whose CPU is counted. */
export interface Behind {
  readonly server: number
  readonly postgres: number | null
}

/** Runs a job. Fails when an answer was not what it should be: figures of wrong answers are worth nothing. */
export const run = async (job: Job, { postgres, server }: Behind): Promise<Measured> => {
  const cpu = () => ({ server: Cpu.used(server), postgres: postgres === null ? 0 : Cpu.used(postgres) })
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] })
  const before = cpu()
  child.stdin.end(JSON.stringify(job))
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit") as Promise<[number | null]>])
  const after = cpu()
  if (code !== 0) throw new Error(`the load process ended with ${code}`)
  const outcome = JSON.parse(said) as Outcome
  if (outcome.wrong > 0) throw new Error(`${outcome.wrong} of ${outcome.requests} answers: ${outcome.firstWrong}`)
  const each = (milliseconds: number) => (milliseconds * 1000) / outcome.requests
  return {
    ...outcome,
    serverCpu: each(after.server - before.server),
    postgresCpu: each(after.postgres - before.postgres),
    loadShare: outcome.cpu / (outcome.seconds * 1000)
  }
}

/** Runs measurements in turn, `rounds` times: what disturbs the machine disturbs them all. */
export const interleaved = async <const A extends ReadonlyArray<() => Promise<unknown>>>(
  rounds: number,
  ...runs: A
): Promise<{ readonly [K in keyof A]: ReadonlyArray<Awaited<ReturnType<A[K]>>> }> => {
  const found: Array<Array<unknown>> = runs.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, run] of runs.entries()) found[index]!.push(await run())
  }
  return found as never
}
