/**
 * The network that a run makes for itself: sing-box nodes refuse private destinations, so origin, nodes and clients
 * need public-looking addresses, and here they lead nowhere else. Processes get a number space of their own as well:
 * when the run ends, however it ends, the kernel ends everything that it started.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"

/** Where the origin listens (TEST-NET-3). */
export const originAddress = "203.0.113.10"

/** What every client's traffic comes from. Nothing but the kernel and sing-box may ever see it. */
export const clientAddress = "203.0.113.77"

/** Where nodes listen (TEST-NET-2). Clients reach them from `clientAddress`. */
export const nodeAddresses = ["198.51.100.1", "198.51.100.2", "198.51.100.3"] as const

const marker = "VPNMGR_PROOF_NAMESPACE"

const setUp = [
  "ip link set lo up",
  ...[originAddress, clientAddress, ...nodeAddresses].map((address) => `ip address add ${address}/32 dev lo`),
  ...nodeAddresses.map((address) => `ip route replace local ${address} dev lo table local src ${clientAddress}`)
].join(" && ")

/** True inside the namespace of a run. */
export const isEntered = (): boolean => process.env[marker] === "1"

const flags = () => [
  ...(process.getuid?.() === 0 ? [] : ["-r"]),
  "--net",
  "--pid",
  "--fork",
  "--mount-proc",
  "--kill-child=SIGKILL"
]

/** What is missing to make a namespace; `undefined` when nothing is. */
export const missing = (): string | undefined => {
  const { error, status } = spawnSync("unshare", [...flags(), "sh", "-c", setUp], { stdio: "ignore" })
  if (error !== undefined) return "unshare is not on this machine; install util-linux"
  return status === 0
    ? undefined
    : "network namespaces are not permitted, or `ip` is missing; run as root, install iproute2"
}

/** Runs this program again inside a namespace of its own and answers its exit code. */
export const run = async (): Promise<number> => {
  const [node, ...args] = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn("unshare", [...flags(), "sh", "-c", `${setUp} && "$@"; exit $?`, "namespace", node, ...args], {
    stdio: "inherit",
    env: { ...process.env, [marker]: "1" }
  })
  const forward = (signal: NodeJS.Signals) => child.kill(signal)
  process.on("SIGINT", forward).on("SIGTERM", forward)
  const [code] = (await once(child, "exit")) as [number | null]
  return code ?? 1
}

let port = 10_000

/** A port nobody has: nothing else runs in the namespace, and these are below what the kernel hands out. */
export const freePort = (): number => ++port
