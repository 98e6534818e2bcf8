/**
 * Switches that exist only in a test build (`--define __VPNMGR_TEST_BUILD__=true`): a proof that cannot fail is none,
 * so the crash run must fail with idempotency switched off. In every other build they are constants and vanish.
 */
import { Effect } from "effect"

declare const __VPNMGR_TEST_BUILD__: boolean | undefined
declare const process: { readonly env: Record<string, string | undefined>; readonly pid: number } & {
  readonly kill: (pid: number, signal: string) => void
  readonly stderr: { readonly write: (text: string) => void }
}

/** True in a test build that was told to break a rule (`VPNMGR_BREAK`, comma separated). */
export const broken = (rule: string): boolean =>
  typeof __VPNMGR_TEST_BUILD__ !== "undefined" &&
  __VPNMGR_TEST_BUILD__ &&
  (process.env["VPNMGR_BREAK"] ?? "").split(",").includes(rule)

/**
 * In a test build, logs `fault-point NAME` and, with the probability given by `VPNMGR_KILL_AT=NAME:P,…`, ends its own
 * process by SIGKILL there.
 */
export const faultPoint = (name: string): Effect.Effect<void> =>
  typeof __VPNMGR_TEST_BUILD__ !== "undefined" && __VPNMGR_TEST_BUILD__ ? Effect.sync(() => strike(name)) : Effect.void

const strike = (name: string): void => {
  const plan = (process.env["VPNMGR_KILL_AT"] ?? "").split(",").find((each) => each.startsWith(`${name}:`))
  if (plan === undefined || Math.random() >= Number(plan.slice(name.length + 1))) return
  process.stderr.write(`fault-point ${name}\n`)
  process.kill(process.pid, "SIGKILL")
}
