/** The real sing-box, as a person runs it: what it says of a config before it runs, and what it prints when it does. */
import { execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

const cache = process.env.VPNMGR_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "vpnmgr")

export interface SingBox {
  readonly version: string
  /** Undefined when the binary is not there. */
  readonly path: string | undefined
  /** Says what is missing, for the name of a skipped test. */
  readonly title: string
}

/** Every supported version; in CI a missing one is a failure. */
export const versions: ReadonlyArray<SingBox> = ["1.12.12", "1.13.14", "1.14.1"].map((version) => {
  const path = join(cache, "sing-box", version, "sing-box")
  const isThere = existsSync(path)
  if (!isThere && process.env.CI) throw new Error(`sing-box ${version}: run scripts/install-sing-box.sh ${version}`)
  const needs = isThere ? "" : ` (skipped: run scripts/install-sing-box.sh ${version})`
  return { version, path: isThere ? path : undefined, title: `${version}${needs}` }
})

/** What `check` says against a file; empty when nothing. */
export const check = (path: string, file: string): Promise<string> =>
  new Promise((resolve) =>
    execFile(path, ["check", "-c", file, "--disable-color"], { timeout: 60_000 }, (error, stdout, stderr) =>
      resolve(error === null ? "" : `${stdout}${stderr}`.trim().slice(0, 500) || error.message)
    )
  )

/** A network of its own with a way out that leads nowhere: a tun device and its routes disturb nobody there. */
const ownNetwork = [
  "ip link set lo up && ip link add up0 type veth peer name up1 && ip link set up0 up && ip link set up1 up",
  "ip address add 192.0.2.2/24 dev up0 && ip route add default via 192.0.2.1 dev up0"
].join(" && ")

/** True where a tun device can be made: configs run as they are. Elsewhere a local proxy port stands in for it. */
export const hasTun: boolean =
  process.getuid?.() === 0 &&
  existsSync("/dev/net/tun") &&
  spawnSync("unshare", ["-n", "sh", "-c", ownNetwork], { stdio: "ignore" }).status === 0

/** Runs a config for a second and a half, in a network of its own; answers what it printed. */
export const logOf = async (path: string, file: string): Promise<string> => {
  const run = [path, "run", "-c", file, "--disable-color"]
  const [command = "", ...args] = hasTun
    ? ["unshare", "-n", "sh", "-c", `${ownNetwork} && exec "$@"`, "sing-box", ...run]
    : run
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
  let log = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (log += part.toString()))
  const exited = once(child, "exit")
  const early = await Promise.race([exited, sleep(1500, null)])
  if (early !== null) return `${log}ended by itself`
  child.kill("SIGTERM")
  await Promise.race([exited, sleep(5000)])
  child.kill("SIGKILL")
  return log
}

/** What sing-box writes of an option that it will not know much longer, or does not know any more. */
export const complaint = /WARN|ERROR|FATAL|PANIC|panic|deprecated|ended by itself/

/** As it is run: whole where a tun device can be made. */
export const runnable = (config: object, port: number): object =>
  hasTun ? config : { ...config, inbounds: [{ type: "mixed", tag: "tun-in", listen: "127.0.0.1", listen_port: port }] }

/** Does each, two at a time; answers what came of those that answered something. */
export const twoAtATime = async <A>(items: ReadonlyArray<A>, each: (item: A) => Promise<string>) => {
  const found: Array<string> = []
  const left = items.values()
  const work = async () => {
    for (const item of left) {
      const said = await each(item)
      if (said !== "") found.push(said)
    }
  }
  await Promise.all([work(), work()])
  return found
}
