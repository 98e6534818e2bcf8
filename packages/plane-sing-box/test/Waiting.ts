/** Waiting for what a real process does in its own time. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { isAlive, type Identity } from "../src/internal/Process.ts"
import type * as Roster from "../src/internal/Roster.ts"

/** Resolves once the condition holds; rejects after `patience` ms. */
export const until = async (condition: () => boolean, patience = 10_000): Promise<void> => {
  for (const end = Date.now() + patience; !condition(); await sleep(5)) {
    if (Date.now() > end) throw new Error("waited in vain")
  }
}

export interface Note {
  readonly process: Identity
  readonly epoch: string
  readonly control: string
  readonly secret: string
  readonly roster: Roster.Roster
}

/** What the driver has noted of its run. */
export const noteOf = (directory: string): Note => JSON.parse(readFileSync(join(directory, "plane.json"), "utf8"))

/** Ends the run of a directory as `kill -9` does. */
export const killed = async (directory: string): Promise<void> => {
  const { process: run } = noteOf(directory)
  process.kill(run.pid, "SIGKILL")
  await until(() => !isAlive(run))
}
