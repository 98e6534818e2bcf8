/** SQL as an operator sends it: through `psql`, to a database of the run. For seeding, yardsticks and looking. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { Postgres } from "@vpnmgr/proof"

export interface Sql {
  readonly url: string
  /** Runs statements one after another, outside a transaction; answers the rows, columns separated by `|`. */
  readonly run: (...statements: ReadonlyArray<string>) => Promise<ReadonlyArray<string>>
  /** Feeds lines to a `COPY … FROM STDIN`. */
  readonly copy: (statement: string, lines: Iterable<string>) => Promise<void>
  /** Runs a script as `psql` reads it, in which a `COPY … FROM STDIN` has its lines below it. */
  readonly script: (text: Iterable<string>) => Promise<void>
}

/** Opens nothing yet: each call is a connection of its own. Names are looked up in the product's schema first. */
export const make = (url: string): Sql => {
  const psql = async (args: ReadonlyArray<string>, input: Iterable<string>) => {
    const bin = await Postgres.findBinaries()
    if (bin === null) throw new Error(Postgres.missing)
    const child = spawn(join(bin, "psql"), ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", ...args, "-d", url], {
      env: { ...process.env, PGOPTIONS: "-c search_path=vpnmgr,public" }
    })
    const texts = { stdout: "", stderr: "" }
    child.stdout.on("data", (chunk) => (texts.stdout += String(chunk)))
    child.stderr.on("data", (chunk) => (texts.stderr += String(chunk)))
    const ended = once(child, "close") as Promise<[number | null]>
    await pipeline(Readable.from(input), child.stdin).catch(() => undefined)
    const [code] = await ended
    if (code !== 0) throw new Error(`psql: ${texts.stderr}`)
    return texts.stdout.split("\n").filter((line) => line !== "")
  }
  return {
    url,
    run: (...statements) =>
      psql(
        statements.flatMap((statement) => ["-c", statement]),
        []
      ),
    copy: async (statement, lines) => void (await psql(["-c", statement], lines)),
    script: async (text) => void (await psql(["-f", "-"], text))
  }
}
