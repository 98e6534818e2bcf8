/**
 * Asking until there is an answer: what is lost, put off or still under way is asked again, the very same, under the
 * same key and for the same version. Every answer is noted.
 */
import { Agent, type IncomingHttpHeaders, request } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { Unexpected } from "../Report.ts"
import type { Answers } from "./Answers.ts"

export interface Question {
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE"
  /** The path as the document spells it, and as it is asked for. */
  readonly template: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds until an answer is given up. */
  readonly within?: number
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** An answer at last, and what came before it. */
export interface Settled extends Answer {
  /** Some request before it got no answer: what it asked for may have been done. */
  readonly isDoubtful: boolean
  /** How often it was asked for in all. */
  readonly tries: number
}

export interface Asker {
  /** Asks once; answers null when the answer is lost. */
  readonly once: (question: Question) => Promise<Answer | null>
  /** Asks until the answer is final: neither lost nor 503, 429, nor under way. */
  readonly settle: (question: Question) => Promise<Settled>
  readonly close: () => void
}

/** Milliseconds that a question may stay open, faults and all. */
const patience = 240_000

const isForNow = ({ body, status }: Answer): boolean =>
  status === 503 || status === 429 || (status === 409 && body.includes("request_in_progress"))

/** True when the server does not vouch that nothing was changed. */
const isUndecided = ({ body, status }: Answer): boolean => status === 503 && !body.includes("nothing was changed")

/** Makes one for a server, or what stands in front of several. */
export const make = (url: string, answers: Answers): Asker => {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })

  const ask = (question: Question): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const body = question.body === undefined ? undefined : JSON.stringify(question.body)
      const headers = {
        ...question.headers,
        ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
      }
      const { method, path } = question
      const asked = request({ agent, headers, hostname, method, path, port }, (response) => {
        const parts: Array<Buffer> = []
        response.on("data", (part: Buffer) => parts.push(part))
        response.on("error", reject)
        response.on("end", () => {
          clearTimeout(timer)
          const { headers: answered, statusCode: status = 0 } = response
          resolve({ status, headers: answered, body: Buffer.concat(parts).toString("utf8") })
        })
      })
      const timer = setTimeout(
        () => asked.destroy(Object.assign(new Error("too late"), { code: "timeout" })),
        question.within ?? 30_000
      )
      asked.on("error", (cause) => {
        clearTimeout(timer)
        reject(cause)
      })
      asked.end(body)
    })

  const once: Asker["once"] = async (question) => {
    const { method, template } = question
    try {
      const answer = await ask(question)
      answers.note(method, template, answer.status, answer.headers["content-type"] ?? null, answer.body)
      return answer
    } catch (cause) {
      answers.broken((cause as NodeJS.ErrnoException).code ?? String(cause))
      return null
    }
  }

  const settle: Asker["settle"] = async (question) => {
    let isDoubtful = false
    for (let tries = 1, until = Date.now() + patience; ; tries++) {
      const answer = await once(question)
      if (answer !== null && !isForNow(answer)) return { ...answer, isDoubtful, tries }
      isDoubtful ||= answer === null || answer.status === 409 || isUndecided(answer)
      if (Date.now() > until)
        throw new Unexpected(`${question.method} ${question.path}: no final answer within ${patience} ms`)
      await sleep(Math.min(2000, 100 * 2 ** Math.min(tries, 5)))
    }
  }

  return { once, settle, close: () => agent.destroy() }
}
