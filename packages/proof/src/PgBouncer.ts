/**
 * A throw-away PgBouncer in transaction mode in front of a PostgreSQL of the run's own. It runs the binary the machine
 * has; PgBouncer refuses to run as root, so root starts it as the OS user `postgres`.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { chown, mkdtemp, open, readFile, realpath, rm, writeFile } from "node:fs/promises"
import { createServer, connect } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { serverUser } from "./Postgres.ts"

/** What to tell someone whose machine has no PgBouncer. */
export const missing = "PgBouncer is not on this machine; install it: apt-get install pgbouncer"

export interface PgBouncer {
  /** The URL of the same database, through PgBouncer. */
  readonly url: string
  readonly log: string
  readonly close: () => Promise<void>
}

/** Finds the program, or null. Debian puts it where only root's PATH looks. */
export const find = (): string | null =>
  ["/usr/sbin", ...(process.env["PATH"] ?? "").split(delimiter)]
    .map((directory) => join(directory, "pgbouncer"))
    .find((path) => existsSync(path)) ?? null

/** Starts it in front of the database that `databaseUrl` names, with that URL's user. */
export const start = async (databaseUrl: string): Promise<PgBouncer> => {
  const program = find()
  if (program === null) throw new Error(missing)
  const owner = serverUser()
  const directory = await realpath(await mkdtemp(join(tmpdir(), "vpnmgr-pgbouncer-")))
  const target = new URL(databaseUrl)
  const user = decodeURIComponent(target.username)
  const port = await freePort()
  const log = join(directory, "pgbouncer.log")
  const files = {
    "users.txt": `"${user}" "${decodeURIComponent(target.password)}"\n`,
    "pgbouncer.ini": `[databases]
${target.pathname.slice(1)} = host=${target.hostname} port=${target.port || "5432"}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(directory, "users.txt")}
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
`
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text, { mode: 0o600 })
  if (owner.uid !== undefined)
    for (const path of [directory, ...Object.keys(files).map((name) => join(directory, name))])
      await chown(path, owner.uid, owner.gid)

  const output = await open(log, "a", 0o600)
  const prefix = process.platform === "linux" ? ["setpriv", "--pdeathsig", "KILL", "--"] : []
  const [command = program, ...args] = [...prefix, program, join(directory, "pgbouncer.ini")]
  const child = spawn(command, args, { ...owner, cwd: directory, stdio: ["ignore", output.fd, output.fd] })
  const exited = once(child, "exit")
  await output.close()
  const close = async () => {
    child.kill("SIGKILL")
    await exited
    await rm(directory, { recursive: true, force: true })
  }
  for (let waited = 0; !(await takes(port)); waited += 50) {
    if (child.exitCode === null && waited < 10_000) await sleep(50)
    else {
      const said = await readFile(log, "utf8")
      await close()
      throw new Error(`PgBouncer did not start:\n${said}`)
    }
  }
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  return { url: url.href, log, close }
}

const takes = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

const freePort = () =>
  new Promise<number>((resolve) => {
    const probe = createServer()
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { readonly port: number }
      probe.close(() => resolve(port))
    })
  })
