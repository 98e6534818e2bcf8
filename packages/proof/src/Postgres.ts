/**
 * A throw-away, real PostgreSQL: its own data directory, a free loopback port, a random password, gone at the end.
 *
 * It runs the binaries the machine already has (Debian: `apt-get install postgresql`); it neither needs nor touches
 * the machine's own cluster or service. PostgreSQL refuses to run as root, so root starts it as the OS user `postgres`.
 * This is the harness of tests and of the crash run, not part of the product, and it imports nothing of the product.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process"
import { randomBytes, randomInt } from "node:crypto"
import { existsSync, rmSync } from "node:fs"
import { chown, mkdtemp, open, readdir, readFile, readlink, realpath, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"

const run = promisify(execFile)

/** What to tell someone whose machine has no PostgreSQL. */
export const missing = "PostgreSQL's binaries are not on this machine; install them: apt-get install postgresql"

export interface Options {
  /** Write through to the disk as in production. Off makes tests faster; killed processes lose nothing either way. */
  readonly durable?: boolean
  /** Further server settings, as `postgres -c name=value` takes them. */
  readonly settings?: Readonly<Record<string, string>>
  /** Directories on disks of the caller's, empty and `serverUser`'s: for the data, and for the write-ahead log. */
  readonly disks?: { readonly data: string; readonly log: string }
}

export interface Postgres {
  /** The superuser's connection URL, to the database `postgres`. It stays the same over restarts. */
  readonly url: string
  /** The temporary directory: `data`, unless that lies on a disk of its own, and `server.log`. */
  readonly directory: string
  /** The postmaster's process id, while it runs. */
  readonly pid: () => number | undefined
  /** Starts the server again on the same data directory and port, and waits until it takes connections. */
  readonly start: () => Promise<void>
  /**
   * Stops it as an operator would: open transactions are rolled back, everything is written. Immediately: nothing is,
   * and the next start recovers.
   */
  readonly stop: (how?: "fast" | "immediate") => Promise<void>
  /** Kills it as a crash would: SIGKILL to the postmaster, then waits until no process of it is left. */
  readonly kill9: () => Promise<void>
  /** Makes an empty database, or a copy of `template`, and answers its URL. */
  readonly createDatabase: (template?: string) => Promise<string>
  /** Stops the server and deletes its directory. */
  readonly remove: () => Promise<void>
}

/** Finds the directory that holds `initdb` and `postgres`: the newest Debian version, `pg_config`, or PATH. */
export const findBinaries = async (): Promise<string | null> => {
  const debian = await readdir("/usr/lib/postgresql").catch(() => [])
  const configured = await run("pg_config", ["--bindir"]).then(
    ({ stdout }) => [stdout.trim()],
    () => []
  )
  const newestFirst = debian
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => `/usr/lib/postgresql/${version}/bin`)
  const candidates = [...newestFirst, ...configured, ...(process.env["PATH"] ?? "").split(delimiter)]
  return candidates.find((dir) => existsSync(join(dir, "initdb")) && existsSync(join(dir, "postgres"))) ?? null
}

/** Makes a new cluster and starts it. Fails with what to install when the machine has no PostgreSQL. */
export const make = async (options: Options = {}): Promise<Postgres> => {
  const bin = await findBinaries()
  if (bin === null) throw new Error(missing)
  const owner = serverUser()
  const directory = await realpath(await mkdtemp(join(tmpdir(), "vpnmgr-postgres-")))
  const data = options.disks?.data ?? join(directory, "data")
  const password = randomBytes(18).toString("base64url")
  const passwordFile = join(directory, "password")
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (owner.uid !== undefined) {
    await Promise.all([directory, passwordFile].map((path) => chown(path, owner.uid, owner.gid)))
  }
  const initdb = [
    "-D",
    data,
    "-U",
    "postgres",
    "-A",
    "scram-sha-256",
    "--pwfile",
    passwordFile,
    "-E",
    "UTF8",
    "--no-locale",
    ...(options.disks === undefined ? [] : ["--waldir", options.disks.log, "--wal-segsize", "1"])
  ]
  await run(join(bin, "initdb"), [...initdb, "--no-sync"], { ...owner, cwd: directory })
  await rm(passwordFile)

  const port = await freePort()
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "200",
    ...(options.durable === false ? { fsync: "off", synchronous_commit: "off", full_page_writes: "off" } : {}),
    ...options.settings
  }
  const args = ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])]
  let server: ChildProcess | undefined

  const start = async () => {
    if (server !== undefined) throw new Error("this PostgreSQL is running already")
    const log = await open(join(directory, "server.log"), "a")
    // The kernel ends the server when the process that owns it is killed: no test run leaves one behind.
    const [command, ...prefix] = process.platform === "linux" ? ["setpriv", "--pdeathsig", "QUIT", "--"] : []
    const program = join(bin, "postgres")
    const child = spawn(command ?? program, [...prefix, ...(command ? [program] : []), ...args], {
      ...owner,
      cwd: directory,
      stdio: ["ignore", log.fd, log.fd]
    })
    server = child
    child.once("exit", () => {
      if (server === child) server = undefined
    })
    await log.close()
    await ready(data, () => (server === child ? child.pid : undefined)).catch(async (cause: unknown) => {
      throw new Error(`PostgreSQL did not start:\n${await readFile(join(directory, "server.log"), "utf8")}`, { cause })
    })
  }

  const end = async (signal: NodeJS.Signals) => {
    const child = server
    if (child === undefined) return
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
    child.kill(signal)
    await exited
    await gone(data)
  }

  const remove = async () => {
    process.off("exit", abandon)
    await end("SIGINT")
    await rm(directory, { recursive: true, force: true })
  }
  const abandon = () => {
    server?.kill("SIGQUIT")
    rmSync(directory, { recursive: true, force: true })
  }
  process.once("exit", abandon)

  await start()
  return {
    url,
    directory,
    pid: () => server?.pid,
    start,
    stop: (how = "fast") => end(how === "fast" ? "SIGINT" : "SIGQUIT"),
    kill9: () => end("SIGKILL"),
    createDatabase: (template) => createDatabase(url, template),
    remove
  }
}

/** Makes an empty database on the server behind `url`, or a copy of `template` (nobody may be connected to it). */
export const createDatabase = async (url: string, template = "template0"): Promise<string> => {
  const name = `test_${randomBytes(8).toString("hex")}`
  await psql(url, `CREATE DATABASE ${name} TEMPLATE ${identifier(template)}`)
  const made = new URL(url)
  made.pathname = `/${name}`
  return made.href
}

/** Deletes the database a URL names, closing what is still connected to it. */
export const dropDatabase = async (url: string): Promise<void> => {
  const admin = new URL(url)
  const name = admin.pathname.slice(1)
  admin.pathname = "/postgres"
  await psql(admin.href, `DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`)
}

const psql = async (url: string, sql: string) => {
  const bin = await findBinaries()
  const { password, ...rest } = parts(url)
  const args = [
    "-X",
    "-q",
    "-v",
    "ON_ERROR_STOP=1",
    "-h",
    rest.host,
    "-p",
    rest.port,
    "-U",
    rest.user,
    "-d",
    rest.database
  ]
  await run(bin === null ? "psql" : join(bin, "psql"), [...args, "-c", sql], {
    env: { ...process.env, PGPASSWORD: password }
  })
}

const parts = (text: string) => {
  const url = new URL(text)
  return {
    host: url.hostname,
    port: url.port || "5432",
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1)
  }
}

const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`

/** Whom the server runs as; nothing where it runs as whoever started it. */
export const serverUser = (): { readonly uid: number; readonly gid: number } | { readonly uid?: never } => {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

/** Picks a port below the range the kernel hands to outgoing connections, so that a restart finds it free again. */
const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer()
      probe.once("error", () => resolve(false))
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)))
    })
    if (free) return port
  }
}

/** Waits for the postmaster's own word, the eighth line of its pid file. */
const ready = async (data: string, pid: () => number | undefined) => {
  for (let waited = 0; waited < 60_000; waited += 50) {
    const own = pid()
    if (own === undefined) throw new Error("the server ended while it was starting")
    const lines = (await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).split("\n")
    if (Number(lines[0]) === own && lines[7]?.trim() === "ready") return
    await sleep(50)
  }
  throw new Error("the server was not ready within a minute")
}

/** Waits until no process works in the data directory; one too busy to notice the postmaster's death is killed. */
const gone = async (data: string) => {
  for (let waited = 0; ; waited += 20) {
    const left = await workingIn(data)
    if (left.length === 0) return
    if (waited > 5_000) for (const pid of left) process.kill(pid, "SIGKILL")
    await sleep(20)
  }
}

const workingIn = async (data: string): Promise<ReadonlyArray<number>> => {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => ((await readlink(`/proc/${pid}/cwd`).catch(() => "")) === data ? [Number(pid)] : []))
  )
  return found.flat()
}
