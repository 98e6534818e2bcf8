/**
 * Asks at an even pace over kept connections, one request on each at a time, and takes each answer's time. autocannon
 * sends what is due in a second at the second's start, which measures its own queue.
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

/** The first whole answer in the text, or undefined while it is not whole. */
const answerIn = (text: string) => {
  const end = text.indexOf("\r\n\r\n")
  if (end < 0) return undefined
  const [first = "", ...fields] = text.slice(0, end).split("\r\n")
  const headers = fields.flatMap((field) => {
    const colon = field.indexOf(":")
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
  })
  const length = Number(headers[headers.indexOf("content-length") + 1] ?? 0)
  const body = text.slice(end + 4)
  return body.length < length ? undefined : { status: Number(first.split(" ")[1]), headers, body }
}

/** Runs the job; answers the milliseconds each answer took. */
export const run = async (job: Job, rate: number, next: () => Asked, judge: Judge): Promise<Array<number>> => {
  const { hostname, port } = new URL(job.url)
  const extra = Object.entries(job.headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const took: Array<number> = []
  const free: Array<Lane> = []
  const lanes = await Promise.all(
    Array.from({ length: job.connections }, async () => {
      const socket = connect(Number(port), hostname).setNoDelay(true).setEncoding("latin1")
      await new Promise((resolve) => socket.once("connect", resolve))
      const lane: Lane = { socket, received: "", asked: undefined, at: 0 }
      socket.on("error", (cause) => judge.fail(String(cause)))
      socket.on("data", (text: string) => {
        lane.received += text
        const answer = answerIn(lane.received)
        if (answer === undefined || lane.asked === undefined) return
        took.push(performance.now() - lane.at)
        judge.see(lane.asked, answer.status, answer.headers, answer.body)
        lane.received = ""
        lane.asked = undefined
        free.push(lane)
      })
      return lane
    })
  )
  free.push(...lanes)
  const began = performance.now()
  for (let sent = 0; performance.now() - began < job.seconds * 1000;) {
    const due = Math.floor(((performance.now() - began) / 1000) * rate)
    for (; sent < due; sent++) {
      const lane = free.shift()
      if (lane === undefined) continue
      lane.asked = next()
      lane.at = performance.now()
      lane.socket.write(`GET ${lane.asked.path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n${extra.join("")}\r\n`)
    }
    await sleep(1)
  }
  for (const until = Date.now() + 10_000; free.length < lanes.length && Date.now() < until;) await sleep(5)
  if (free.length < lanes.length) judge.fail(`${lanes.length - free.length} requests took over ten seconds`)
  for (const { socket } of lanes) socket.destroy()
  return took
}
