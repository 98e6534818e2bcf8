/** The load process: reads a job, runs it, writes what came of it. */
import { text } from "node:stream/consumers"
import autocannon from "autocannon"
import type { Job, Outcome } from "./Job.ts"
import * as Judge from "./Judge.ts"
import * as Figures from "./Figures.ts"
import * as Paced from "./Paced.ts"

/** What of autocannon's client its types leave out. */
interface Client {
  opts: { verifyBody: (body: string) => boolean }
  setRequests: (requests: ReadonlyArray<object>) => void
  on: ((
    event: "headers",
    listener: (found: { readonly statusCode: number; readonly headers: Array<string> }) => void
  ) => void) &
    ((event: "response", listener: (status: number, bytes: number, milliseconds: number) => void) => void)
}

/** Every connection asks again as soon as it was answered. */
const closed = async (job: Job, next: () => Judge.Asked, judge: Judge.Judge): Promise<Array<number>> => {
  const took: Array<number> = []
  const setupClient = (client: Client) => {
    let [now, before]: [Judge.Asked | undefined, Judge.Asked | undefined] = [undefined, undefined]
    let found: { readonly statusCode: number; readonly headers: Array<string> } = { statusCode: 0, headers: [] }
    client.setRequests([
      {
        headers: job.headers,
        setupRequest: (request: object) => {
          before = now
          now = next()
          return { ...request, path: now.path }
        }
      }
    ])
    client.on("headers", (head) => (found = head))
    client.on("response", (_status, _bytes, milliseconds) => void took.push(milliseconds))
    // It sends the next request before it has the answer verified.
    client.opts.verifyBody = (body) => {
      judge.see(before!, found.statusCode, found.headers, body)
      return true
    }
  }
  const result = await autocannon({
    url: job.url,
    connections: job.connections,
    duration: job.seconds,
    setupClient: setupClient as unknown as (client: autocannon.Client) => void,
    verifyBody: () => true
  })
  if (result.errors + result.timeouts > 0) judge.fail(`${result.errors} errors, ${result.timeouts} timeouts`)
  return took
}

const job = JSON.parse(await text(process.stdin)) as Job
const judge = Judge.make(job.expect)
const next = Judge.sequence(job.links)
const began = performance.now()
const before = process.cpuUsage()
const took = await (job.rate === null ? closed(job, next, judge) : Paced.run(job, job.rate, next, judge))
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
