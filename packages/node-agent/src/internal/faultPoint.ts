/**
 * Places where a crash would hurt most, and switches that break a promise on purpose: a crash test that cannot fail
 * proves nothing. Both exist in test builds only (a bundler's define sets `__VPNMGR_TEST_BUILD__`); in an ordinary
 * build they are constants and fall away.
 */
import * as fs from "node:fs"
import { Effect } from "effect"

declare const __VPNMGR_TEST_BUILD__: boolean | undefined

const probabilityOf = (name: string): number => {
  const pairs = (process.env["VPNMGR_KILL_AT"] ?? "").split(",")
  const pair = pairs.map((text) => text.split(":")).find(([key]) => key === name)
  return pair === undefined ? 0 : Number(pair[1] ?? "1")
}

/**
 * Names a place. In a test build it says so on stderr at once and, when `VPNMGR_KILL_AT` holds `name:probability`,
 * kills its own process with SIGKILL with that probability.
 */
export const faultPoint = (name: string): Effect.Effect<void> =>
  typeof __VPNMGR_TEST_BUILD__ !== "undefined" && __VPNMGR_TEST_BUILD__
    ? Effect.sync(() => {
        fs.writeSync(2, `fault-point ${name}\n`)
        if (Math.random() < probabilityOf(name)) process.kill(process.pid, "SIGKILL")
      })
    : Effect.void

/** True in a test build when `VPNMGR_BREAK` (comma separated) holds the name: `epoch`, `spool`. */
export const broken = (name: "epoch" | "spool"): boolean =>
  typeof __VPNMGR_TEST_BUILD__ !== "undefined" &&
  __VPNMGR_TEST_BUILD__ &&
  (process.env["VPNMGR_BREAK"] ?? "").split(",").includes(name)
