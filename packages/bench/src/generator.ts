/** The load process: reads a job, runs it, writes what came of it. */
import { text } from "node:stream/consumers"
import type { Job, Outcome } from "./Job.ts"
import * as Figures from "./Figures.ts"
import * as Judge from "./Judge.ts"
import * as Lanes from "./Lanes.ts"

const job = JSON.parse(await text(process.stdin)) as Job
const judge = Judge.make(job.expect)
const next = Judge.sequence(job.links)
const began = performance.now()
const before = process.cpuUsage()
const took = await Lanes.run(job, next, judge)
const seconds = (performance.now() - began) / 1000
const { system, user } = process.cpuUsage(before)
const outcome: Outcome = {
  requests: took.length,
  seconds,
  perSecond: took.length / seconds,
  p50: Figures.quantile(took, 0.5),
  p99: Figures.quantile(took, 0.99),
  max: Figures.quantile(took, 1),
  ...judge.seen(),
  cpu: (system + user) / 1000
}
process.stdout.write(JSON.stringify(outcome))
process.exit(0)
