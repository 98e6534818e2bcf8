/**
 * Asks over kept connections, one request on each at a time, and takes each answer's time. On bare sockets: a load that
 * costs as much as the server takes the machine's other core from PostgreSQL, and autocannon took twice this one's CPU.
 *
 * At a pace, requests are sent evenly as long as a connection is free; else each connection asks again as soon as it was
 * answered.
 */
import { type Socket, connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import type { Job } from "./Job.ts"
import type { Asked, Judge } from "./Judge.ts"

interface Lane {
  readonly socket: Socket
  received: string
  asked: Asked | undefined
  at: number
}

const mark = "\r\n\r\n"
const lengthOf = /\r\ncontent-length: (\d+)/i

/** Headers in a row, name and value. */
const fieldsOf = (head: string): ReadonlyArray<string> =>
  head
    .split("\r\n")
    .slice(1)
    .flatMap((field) => {
      const colon = field.indexOf(":")
      return [field.slice(0, colon), field.slice(colon + 1).trim()]
    })

/** The first whole answer in the text, or undefined while it is not whole. */
const answerIn = (text: string) => {
  const end = text.indexOf(mark)
  if (end < 0) return undefined
  const head = text.slice(0, end)
  const length = Number(lengthOf.exec(head)?.[1] ?? 0)
  return text.length - end - mark.length < length
    ? undefined
    : { status: Number(text.slice(9, 12)), head, body: text.slice(end + mark.length) }
}

/** Opens the connections; `answered` is called with the lane that has become free. */
const open = (job: Job, took: Array<number>, judge: Judge, answered: (lane: Lane) => void) => {
  const { hostname, port } = new URL(job.url)
  return Promise.all(
    Array.from({ length: job.connections }, async () => {
      const socket = connect(Number(port), hostname).setNoDelay(true).setEncoding("latin1")
      await new Promise((resolve) => socket.once("connect", resolve))
      const lane: Lane = { socket, received: "", asked: undefined, at: 0 }
      socket.on("error", (cause) => judge.fail(String(cause)))
      socket.on("close", () => lane.asked !== undefined && judge.fail(`a connection ended before ${lane.asked.path}`))
      socket.on("data", (text: string) => {
        lane.received = lane.received === "" ? text : lane.received + text
        const answer = answerIn(lane.received)
        if (answer === undefined || lane.asked === undefined) return
        took.push(performance.now() - lane.at)
        const { asked } = lane
        lane.received = ""
        lane.asked = undefined
        answered(lane)
        judge.see(asked, answer.status, () => fieldsOf(answer.head), answer.body)
      })
      return lane
    })
  )
}

/** Runs the job; answers the milliseconds each answer took. */
export const run = async (job: Job, next: () => Asked, judge: Judge): Promise<Array<number>> => {
  const { host } = new URL(job.url)
  const extra = Object.entries(job.headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const rest = ` HTTP/1.1\r\nhost: ${host}\r\n${extra.join("")}\r\n`
  const took: Array<number> = []
  const free: Array<Lane> = []
  let until = Infinity

  const ask = (lane: Lane) => {
    lane.asked = next()
    lane.at = performance.now()
    lane.socket.write(`GET ${lane.asked.path}${rest}`, "latin1")
  }
  const again = (lane: Lane) => (job.rate === null && performance.now() < until ? ask(lane) : void free.push(lane))

  const lanes = await open(job, took, judge, again)
  const began = performance.now()
  until = began + job.seconds * 1000
  if (job.rate === null) {
    for (const lane of lanes) ask(lane)
    await sleep(job.seconds * 1000)
  } else {
    free.push(...lanes)
    for (let sent = 0; performance.now() < until;) {
      const due = Math.floor(((performance.now() - began) / 1000) * job.rate)
      for (; sent < due; sent++) {
        const lane = free.shift()
        if (lane !== undefined) ask(lane)
      }
      await sleep(1)
    }
  }
  for (const late = Date.now() + 10_000; free.length < lanes.length && Date.now() < late;) await sleep(5)
  if (free.length < lanes.length) judge.fail(`${lanes.length - free.length} requests took over ten seconds`)
  for (const { socket } of lanes) socket.destroy()
  return took
}
