/**
 * A server on its embedded database, on a small disk of its own that fills: changes are refused with 503 and none of them
 * is kept, reading goes on, and once there is room it goes on by itself, also after a kill.
 */
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Api from "../Api.ts"
import * as Expect from "../Expect.ts"
import * as Server from "../Server.ts"
import * as Disk from "./Disk.ts"
import type { Ground } from "./Ground.ts"

/** Changes that may find room on a full disk, in pages that are there. */
const most = 500

/** Changes that must be refused. */
const enough = 20

interface Page {
  readonly items: ReadonlyArray<{ readonly id: string }>
  readonly next_cursor: string | null
}

const idsOf = async (api: Api.Api): Promise<ReadonlyArray<string>> => {
  const ids: Array<string> = []
  for (let cursor = ""; ;) {
    const page = await api.request<Page>("GET", `/subscriptions?limit=200${cursor}`)
    ids.push(...page.items.map(({ id }) => id))
    if (page.next_cursor === null) return ids
    cursor = `&cursor=${page.next_cursor}`
  }
}

/** Changes until enough were refused; answers what they were refused with. */
const refusedOf = async (change: () => Promise<void>): Promise<ReadonlyArray<number>> => {
  const refusals: Array<number> = []
  for (let tries = 0; tries < most; tries++) {
    if (refusals.length === enough) break
    await change().catch((cause: unknown) => {
      if (!(cause instanceof Api.Refused)) throw cause
      refusals.push(cause.status)
    })
  }
  return refusals
}

/** Starts one, fills its disk, looks, and gives the room back. */
export const deal = async ({ directory, main }: Pick<Ground, "directory" | "main">): Promise<string> => {
  const home = join(directory, `embedded-${Date.now()}`)
  await mkdir(home)
  const disk = await Disk.mount({ directory: join(home, "disk"), megabytes: 256 })
  const server = await Server.make({ main, name: "embedded", directory: disk.directory, databaseUrl: null })
  const api = Api.make(server.url)
  const kept = new Set<string>()
  const create = async () => {
    const { id } = await api.create({ title: "e".repeat(200) })
    kept.add(id)
  }
  const same = async (when: string) => {
    const found = await idsOf(api)
    Expect.same(`subscriptions ${when}`, found.length, kept.size)
    Expect.holds(
      `those that were answered are there ${when}`,
      found.every((id) => kept.has(id))
    )
  }
  try {
    await server.start()
    const password = "a-password-of-some-length"
    await api.request("POST", "/setup", { secret: await server.setupSecret(), username: "root", password })
    await api.signIn("root", password)
    await create()
    await disk.fill()
    const refusals = await refusedOf(create)
    Expect.atLeast("changes refused on a full disk", refusals.length, enough)
    Expect.same("what they were answered", [...new Set(refusals)].join(), "503")
    await same("on a full disk")
    await disk.free()
    await sleep(500)
    await create()
    await same("once there is room")
    await server.stop("SIGKILL")
    await server.start()
    await same("after a kill")
    return `503 and nothing kept, ${kept.size} changes stand; taken again once there was room`
  } finally {
    await server.stop("SIGKILL")
    await disk.unmount()
  }
}
