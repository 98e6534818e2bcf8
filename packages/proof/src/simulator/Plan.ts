/** What the simulator's process is told and what it answers: plain values, fit for JSON. */

/** One node's agent. */
export interface AgentPlan {
  /** The node's key. */
  readonly key: string
  /** The servers it speaks to, `http://` only. More than one: each request goes to the next, as behind a balancer. */
  readonly urls: ReadonlyArray<string>
}

/** What agents do wrong, as shares of their sendings (0 to 1); none of it may change a sum. */
export interface Trouble {
  /** A batch is sent on two connections at once. */
  readonly twice: number
  /** What was counted is cut into two batches, and the later one is sent first. */
  readonly swapped: number
  /** The connection is cut once the batch was handed to it, before its answer. */
  readonly cut: number
}

export interface Load {
  /** Entries of each report at most: as many (credential, inbound) as the node's state lets pass, in turn. */
  readonly entries: number
  /** Milliseconds between an agent's reports. */
  readonly every: number
  /** The largest number of bytes an entry has in each direction; at least 1. */
  readonly bytes: { readonly up: number; readonly down: number }
  readonly trouble: Trouble
}

export interface Fleet extends Load {
  readonly agents: ReadonlyArray<AgentPlan>
  /** Seconds a poll waits. */
  readonly wait: number
  /** Milliseconds over which agents start, evenly. */
  readonly ramp: number
  /** Makes amounts and trouble repeatable. */
  readonly seed: number
}

/** The usual load: 100 entries every 10 s, and nothing wrong. */
export const usual: Omit<Fleet, "agents"> = {
  entries: 100,
  every: 10_000,
  bytes: { up: 2000, down: 20_000 },
  trouble: { twice: 0, swapped: 0, cut: 0 },
  wait: 30,
  ramp: 1000,
  seed: 1
}

/** A state that an agent was told. */
export interface Told {
  /** The agent's index. */
  readonly agent: number
  readonly revision: number
  readonly isWhole: boolean
  /** Bytes of the answer. */
  readonly bytes: number
  /** When the answer was there whole: milliseconds since 1970, with fractions. */
  readonly at: number
}

/** What happened since figures were taken last. */
export interface Figures {
  readonly seconds: number
  /** CPU of the simulator, milliseconds. */
  readonly cpu: number
  /** Requests by what they were answered: `POST /node/v1/reports 200`. */
  readonly answers: Readonly<Record<string, number>>
  /** Answers other than 2xx by the problem's `code`. */
  readonly problems: Readonly<Record<string, number>>
  /** Requests without an answer by what happened: `POST /node/v1/reports ECONNRESET`. Cuts of its own are `cut`. */
  readonly broken: Readonly<Record<string, number>>
  /** Milliseconds that each report took which was answered 200. */
  readonly reports: ReadonlyArray<number>
  /** Entries of the batches acknowledged. */
  readonly entries: number
  /** Reports that were due while an earlier one of their agent was not acknowledged. */
  readonly overdue: number
  /** Troubles made, by kind. */
  readonly trouble: Readonly<Record<keyof Trouble, number>>
  /** States told, in order. */
  readonly told: ReadonlyArray<Told>
  /** Polls that wait for their answer now, and agents that have a state. */
  readonly polling: number
  readonly informed: number
}

/** Bytes of one (credential, inbound), by their refs. All sums stay below 2^53. */
export interface Account {
  readonly credential: number
  readonly inbound: number
  /** What agents counted: acknowledged, under way, or still to be sent. */
  readonly counted: { readonly up: number; readonly down: number }
  /** What a server acknowledged, each batch once. */
  readonly acknowledged: { readonly up: number; readonly down: number }
}

/** What the process can be told, and what it answers. Agents are named by index; null means all. */
export interface Orders {
  readonly open: (fleet: Fleet) => null
  readonly start: (agents: ReadonlyArray<number> | null) => null
  readonly stop: (agents: ReadonlyArray<number> | null) => null
  readonly load: (change: Partial<Load>) => null
  readonly aim: (urls: ReadonlyArray<string>) => null
  readonly jump: (clock: { readonly agents: ReadonlyArray<number> | null; readonly milliseconds: number }) => null
  /** True when everything counted was acknowledged in time. */
  readonly drain: (patience: number) => boolean
  readonly figures: (nothing: null) => Figures
  readonly books: (nothing: null) => ReadonlyArray<Account>
}

export interface Order {
  readonly id: number
  readonly verb: keyof Orders
  readonly given: unknown
}

export interface Reply {
  readonly id: number
  readonly result?: unknown
  readonly failure?: string
}
