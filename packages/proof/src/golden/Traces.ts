/**
 * The end of every run: what was secret is in no log of the product and in no dump of its database. The search is shown
 * to work on what was planted.
 */
import { readdir, readFile, writeFile } from "node:fs/promises"
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

/** What a run that skipped the path would lack: a link that is not its subscription's id, and what is derived. */
const gather = async ({ arena, secrets, subscribe }: Run) => {
  const subscriber = await subscribe({ inbound_ids: arena.inbounds() })
  await arena.converged(subscriber.id)
  await subscriber.rotate()
  secrets.set("a link", subscriber.subscription().config_path.split("/").at(-1)!)
  secrets.set("a link that is still an id", `/s/${subscriber.id}`)
  secrets.set("the client's address", Namespace.clientAddress)
  for (const { listed, name } of arena.nodes) {
    for (const one of await listed()) secrets.set(`what ${one.name} signs in with at ${name}`, one.secret)
  }
  return subscriber
}

/** Searches every log and a dump. */
export const traces = (golden: Run): Promise<void> =>
  golden.report.sequence("traces", async () => {
    const { arena, report, secrets } = golden
    const node = arena.nodes[0]!
    await report.step("traces: control: the node does see the client's address", async () => {
      const subscriber = await gather(golden)
      await arena.converged(subscriber.id)
      const client = await subscriber.client("shadowsocks")
      const flow = await subscriber.begin(client, { direction: "down", bytes: 50_000_000, rate: 1_000_000 })
      await Expect.soon("the download runs", 5000, () => (flow.received > 0 ? true : undefined))
      const { control, secret } = await node.run()
      const headers = { authorization: `Bearer ${secret}` }
      const connections = await (await fetch(`http://${control}/connections`, { headers })).text()
      flow.close()
      Expect.holds("sing-box's own connections name it", connections.includes(`"${Namespace.clientAddress}"`))
      return `${connections.length} B of connections name it`
    })
    await report.step("traces: no secret in any log or in the dump", async () => {
      const planted = `planted-${crypto.randomUUID()}`
      await arena.api.create({ title: planted })
      await writeFile(join(arena.directory, "planted.log"), `a line with ${planted} in it\n`)
      const dump = await arena.database.dump()
      const database = arena.database.postgres.directory
      const texts = [{ name: "pg_dump", text: dump }, ...(await logs(arena.directory)), ...(await logs(database))]
      const control = found(texts, new Map([["planted", planted]]))
      Expect.same("the control", control.join(), "planted in pg_dump,planted in planted.log")
      const all = found(texts, secrets)
      Expect.same("secrets found", `${all.length}: ${all.slice(0, 10).join("; ")}`, "0: ")
      const bytes = texts.reduce((sum, { text }) => sum + text.length, 0)
      return `${secrets.size} secrets searched in ${texts.length} files, ${bytes} B: none; the planted one found in 2`
    })
  })
