/**
 * The end of every run: what was secret is in no log of the product and in no dump of its database. The search is shown
 * to work on what was planted.
 */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Expect from "../Expect.ts"
import * as Namespace from "../Namespace.ts"
import type { Run } from "./Run.ts"

interface Text {
  readonly name: string
  readonly text: string
}

/** Every log under the directory but the clients' own, which are the subscribers' and not the product's. */
const logs = async (directory: string): Promise<ReadonlyArray<Text>> => {
  const entries = await readdir(directory, { recursive: true })
  const names = entries.filter((name) => name.endsWith(".log") && !name.startsWith("clients/"))
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(join(directory, name), "utf8") })))
}

const found = (texts: ReadonlyArray<Text>, secrets: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  texts.flatMap(({ name, text }) =>
    [...secrets].filter(([, secret]) => text.includes(secret)).map(([what]) => `${what} in ${name}`)
  )

/** Searches every log and a dump. */
export const traces = (golden: Run): Promise<void> =>
  golden.report.sequence("traces", async () => {
    const { arena, report } = golden
    await report.step("traces: no secret in any log or in the dump", async () => {
      const planted = `planted-${crypto.randomUUID()}`
      const made = await arena.api.create({ title: planted })
      const secrets = new Map([...golden.secrets, ["the client's address", Namespace.clientAddress]])
      const dump = await arena.database.dump()
      const database = arena.database.postgres.directory
      const texts = [{ name: "pg_dump", text: dump }, ...(await logs(arena.directory)), ...(await logs(database))]
      const control = found(texts, new Map([["what was planted", planted]]))
      Expect.same("the control", control.join(), "what was planted in pg_dump")
      Expect.same("secrets found", found(texts, secrets).join("; "), "")
      await arena.api.remove(made.id)
      const bytes = texts.reduce((sum, { text }) => sum + text.length, 0)
      return `${secrets.size} secrets searched in ${texts.length} files, ${bytes} B: none; the planted one found`
    })
  })
