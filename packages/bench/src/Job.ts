/** What the load process is asked to do and what it answers: JSON on its standard input and output. */

/** Which links are asked for: one again and again, or seeded ones, each once before any comes again. */
export type Links =
  | { readonly kind: "one"; readonly path: string }
  | { readonly kind: "seeded"; readonly count: number; readonly start: number }

export interface Job {
  readonly url: string
  readonly links: Links
  readonly headers: Readonly<Record<string, string>>
  readonly connections: number
  readonly seconds: number
  /**
   * Requests a second, evenly spaced, as long as a connection is free. Null: each connection asks as soon as it was
   * answered.
   */
  readonly rate: number | null
  readonly expect: Expected
}

export interface Expected {
  readonly status: number
  /** Bytes of every body. */
  readonly length: number
  /** Also look into every 64th answer: a whole config of the subscription asked for, with all its headers. */
  readonly proxies: number | null
}

export interface Outcome {
  readonly requests: number
  readonly seconds: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Answers looked into. */
  readonly inspected: number
  /** Answers that were not what was expected, connections that broke, requests that took over ten seconds. */
  readonly wrong: number
  readonly firstWrong: string | null
  /** CPU of the load process, milliseconds. */
  readonly cpu: number
}
