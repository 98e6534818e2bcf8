/**
 * Every answer that was had, held against the OpenAPI document: a status must be one that the document names for the
 * operation, and what is no success must be a problem. The address of configs is not in the document; what it may
 * answer is in the guide.
 */

import type { Figures } from "../Simulator.ts"

/** An answer that nobody may get. */
export interface Undocumented {
  readonly operation: string
  readonly status: number
  readonly body: string
}

export interface Answers {
  /** Notes an answer to `method` at an address of this template, such as `/api/v1/subscriptions/{id}`. */
  readonly note: (method: string, template: string, status: number, type: string | null, body: string) => void
  /** Notes what simulated agents saw, whose bodies nobody has: `POST /node/v1/reports 200`, and problems by code. */
  readonly add: (figures: Pick<Figures, "answers" | "problems" | "broken">) => void
  /** Notes a request without an answer by what happened. */
  readonly broken: (kind: string) => void
  readonly requests: () => number
  /** How often each operation was answered with each status. */
  readonly byOperation: () => ReadonlyMap<string, ReadonlyMap<number, number>>
  /** Refusals by status and code, and broken requests by kind. */
  readonly errors: () => ReadonlyMap<string, number>
  readonly undocumented: () => ReadonlyArray<Undocumented>
}

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses?: Readonly<Record<string, unknown>> }>>>
  >
}

/** What `docs/guide/http-api.md` says of `GET /s/{link}`. */
const configs = [200, 304, 403, 404, 503]

/** What stands in the document, by operation. */
const documented = (document: Document): ReadonlyMap<string, ReadonlySet<number>> => {
  const known = new Map<string, ReadonlySet<number>>([["GET /s/{link}", new Set(configs)]])
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      if (responses !== undefined)
        known.set(`${method.toUpperCase()} ${path}`, new Set(Object.keys(responses).map(Number)))
    }
  }
  return known
}

const codeOf = (body: string): string | undefined => {
  try {
    const { code } = JSON.parse(body) as { readonly code?: unknown }
    return typeof code === "string" ? code : undefined
  } catch {
    return undefined
  }
}

/** `GET /a 200` apart: the operation, and what came of it. */
const apart = (named: string): readonly [operation: string, outcome: string] => {
  const at = named.lastIndexOf(" ")
  return [named.slice(0, at), named.slice(at + 1)]
}

/** Reads the document of the server at `url` and begins to note. */
export const make = async (url: string): Promise<Answers> => {
  const response = await fetch(`${url}/openapi.json`)
  const known = documented((await response.json()) as Document)
  const counts = new Map<string, Map<number, number>>()
  const errors = new Map<string, number>()
  const undocumented: Array<Undocumented> = []
  let requests = 0

  const count = (operation: string, status: number, times: number) => {
    const ofOperation = counts.get(operation) ?? new Map<number, number>()
    counts.set(operation, ofOperation.set(status, (ofOperation.get(status) ?? 0) + times))
    requests += times
    return known.get(operation)?.has(status) === true
  }
  const fault = (kind: string, times = 1) => errors.set(kind, (errors.get(kind) ?? 0) + times)
  const lose = (kind: string, times: number) => {
    fault(kind, times)
    requests += times
  }

  return {
    note: (method, template, status, type, body) => {
      const operation = `${method} ${template}`
      const isKnown = count(operation, status, 1)
      if (status < 400) return isKnown ? undefined : void undocumented.push({ operation, status, body })
      const code = type?.startsWith("application/problem+json") === true ? codeOf(body) : undefined
      fault(`${status} ${code ?? "without a problem"}`)
      if (!isKnown || code === undefined) undocumented.push({ operation, status, body: body.slice(0, 300) })
    },
    add: ({ answers, broken, problems }) => {
      for (const [named, times] of Object.entries(answers)) {
        const [operation, status] = apart(named)
        if (!count(operation, Number(status), times))
          undocumented.push({ operation, status: Number(status), body: "(an agent's)" })
      }
      for (const [code, times] of Object.entries(problems)) {
        fault(`agents: ${code}`, times)
        if (code === "none" || code === "undefined")
          undocumented.push({ operation: "an agent's", status: 0, body: "refused without a problem" })
      }
      for (const [named, times] of Object.entries(broken)) lose(`agents, no answer: ${apart(named)[1]}`, times)
    },
    broken: (kind) => lose(`no answer: ${kind}`, 1),
    requests: () => requests,
    byOperation: () => counts,
    errors: () => errors,
    undocumented: () => undocumented
  }
}
