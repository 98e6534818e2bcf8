/**
 * Part one, the path: create, fetch, traffic, usage, limit, cut, the window turns, traffic again; suspend and resume;
 * rotate. Each protocol has a subscription of its own on two nodes, and all three walk at once.
 */
import { execFile } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Client from "../Client.ts"
import * as Expect from "../Expect.ts"
import type { Flow } from "../Flow.ts"
import * as Subscriber from "../Subscriber.ts"
import { anchorAt, type Run } from "./Run.ts"

const run = promisify(execFile)
const mega = 1_000_000

/** From exhaustion to the cut, at most: a reading every 2 s, and what it takes to move a selector. */
export const cutWithin = 3000

const limit = 20 * mega
const limitRate = 6 * mega

/** When a flow's bytes crossed a limit, between its samples, ms since the epoch. */
export const crossedAt = (flow: Flow, bytes: number): number => {
  const samples = [...flow.samples, { at: flow.lastByteAt ?? flow.startedAt, received: flow.received }]
  const index = Math.max(
    1,
    samples.findIndex(({ received }) => received >= bytes)
  )
  const [before, after] = [samples[index - 1]!, samples[index]!]
  const grown = Math.max(1, after.received - before.received)
  return before.at + ((after.at - before.at) * Math.max(0, bytes - before.received)) / grown
}

const check = async ({ arena }: Run, protocol: Client.Protocol, body: string) => {
  const file = join(arena.directory, `fetched-${protocol}.json`)
  await writeFile(file, body, { mode: 0o600 })
  await run(arena.binary, ["check", "-c", file, "-D", arena.directory])
}

/** The steps of one protocol. */
const walk = async (golden: Run, protocol: Client.Protocol): Promise<void> => {
  const { arena, report } = golden
  const { api } = arena
  const step = (name: string, steps: () => Promise<string>) => report.step(`${protocol}: ${name}`, steps)
  let subscriber!: Subscriber.Subscriber
  let client!: Client.Client

  await step("create", async () => {
    const inbound_ids = arena.inbounds({ protocols: [protocol] })
    const [made, took] = await Expect.timed(() => golden.subscribe({ title: `path ${protocol}`, inbound_ids }))
    subscriber = made
    const served = await arena.converged(made.id)
    return `${took} ms; both nodes serve it ${served} ms later`
  })

  await step("fetch", async () => {
    const [fetched, took] = await Expect.timed(() => arena.fetchConfig(subscriber.subscription()))
    Expect.same("the status", fetched.status, 200)
    await check(golden, protocol, fetched.body)
    const [started, up] = await Expect.timed(() => subscriber.client(protocol))
    client = started
    return `${took} ms, ${fetched.body.length} B; accepted by sing-box check; client up in ${up} ms`
  })

  await step("traffic: origin, plane and client agree", async () => {
    const other = await subscriber.client(protocol, 1)
    const began = Date.now()
    const flows = await Promise.all([
      subscriber.begin(client, { direction: "down", bytes: 5 * mega }),
      subscriber.begin(client, { direction: "up", bytes: mega }),
      subscriber.begin(other, { direction: "down", bytes: mega })
    ])
    for (const flow of flows) Expect.same("the transfer", await flow.end, "whole")
    const took = Date.now() - began
    const accounts = await Expect.soon("the counters stand still", 3000, async () => {
      const now = await subscriber.accounts()
      return Subscriber.total(now.plane) >= Subscriber.total(now.client) ? now : undefined
    })
    const seen = { ...accounts, usage: accounts.plane }
    Subscriber.agree(seen)
    await other.close()
    return `${seen.plane.up} B up, ${seen.plane.down} B down in ${took} ms: ${Subscriber.residue(seen)}`
  })

  await step("usage equals the plane's counters", async () => {
    const [accounts, took] = await Expect.timed(() => subscriber.settled(15_000))
    Subscriber.agree(accounts)
    const { used_bytes } = await api.get(subscriber.id)
    Expect.same("used_bytes", BigInt(used_bytes), Subscriber.total(accounts.plane))
    return `${used_bytes} B, ${took} ms later`
  })

  let windowEnd = 0
  await step("limit: cut by the node", async () => {
    const patch = { max_traffic: limit, traffic_reset_period: "PT20S", anchor: anchorAt(Date.now()) }
    const limited = await api.change(subscriber.id, patch)
    await arena.converged(subscriber.id)
    const room = limit - limited.used_bytes
    const flow = await subscriber.begin(client, {
      direction: "down",
      bytes: 20 * limit,
      rate: limitRate,
      timeout: 15_000
    })
    Expect.same("the download", await flow.end, "cut")
    const at = crossedAt(flow, room)
    const late = flow.endedAt! - at
    const over = flow.received + flow.sent - room
    Expect.atLeast("bytes over the limit", over, 0)
    Expect.atMost("milliseconds from exhaustion to the cut", late, cutWithin)
    windowEnd = Date.parse(Expect.present("the window's end", limited.window_end))
    return `overrun ${over} B, ${Math.round(late)} ms from exhaustion to the cut at ${limitRate / mega} MB/s`
  })

  await step("over limit: refused, and the config says so", async () => {
    Expect.holds("new connections are refused", await subscriber.isRefused(client))
    const [, took] = await Expect.timed(() =>
      Expect.soon("over_limit", 12_000, async () =>
        (await api.get(subscriber.id)).state === "over_limit" ? true : undefined
      )
    )
    const fetched = await arena.fetchConfig(subscriber.subscription())
    Expect.same("the status", fetched.status, 200)
    await check(golden, protocol, fetched.body)
    const tag = fetched.config?.outbounds.find(({ type }) => type === "block")?.tag
    Expect.holds(`the stub's tag says until when: ${tag}`, tag?.startsWith("over limit until") ?? false)
    return `the server knew ${took} ms later; stub "${tag}"`
  })

  await step("the window turns: traffic again", async () => {
    Expect.holds("refused until then", await subscriber.isRefused(client))
    const at = await subscriber.passes(client, windowEnd - Date.now() + 5000)
    Expect.atLeast("milliseconds after the window's end", at - windowEnd, 0)
    const flow = await subscriber.begin(client, { direction: "down", bytes: mega })
    Expect.same("the transfer", await flow.end, "whole")
    const freed = await api.change(subscriber.id, { max_traffic: null, traffic_reset_period: null })
    Expect.same("the state", freed.state, "active")
    return `let in ${at - windowEnd} ms after the window's end`
  })

  await step("suspend: 403, and cut on the node", async () => {
    await arena.converged(subscriber.id)
    const flow = await subscriber.begin(client, { direction: "down", bytes: 200 * mega, rate: 2 * mega })
    await Expect.soon("the download runs", 3000, () => (flow.received > mega / 2 ? true : undefined))
    const began = Date.now()
    await api.act(subscriber.id, "suspend")
    Expect.same("the download", await flow.end, "cut")
    const cut = flow.endedAt! - began
    await Expect.soon("403", 2000, async () =>
      (await arena.fetchConfig(subscriber.subscription())).status === 403 ? true : undefined
    )
    const told = Date.now() - began
    Expect.holds("new connections are refused", await subscriber.isRefused(client))
    return `cut ${cut} ms after the request, 403 seen after ${told} ms`
  })

  await step("resume: works again", async () => {
    const began = Date.now()
    await api.act(subscriber.id, "resume")
    const at = await subscriber.passes(client, 5000)
    await Expect.soon("200", 2000, async () =>
      (await arena.fetchConfig(subscriber.subscription())).status === 200 ? true : undefined
    )
    return `traffic ${at - began} ms after the request`
  })

  await step("rotate: the old is dead, the new works", async () => {
    await arena.converged(subscriber.id)
    const old = subscriber.subscription()
    const flow = await subscriber.begin(client, { direction: "down", bytes: 200 * mega, rate: 2 * mega })
    await Expect.soon("the download runs", 3000, () => (flow.received > mega / 2 ? true : undefined))
    const began = Date.now()
    await subscriber.rotate()
    Expect.same("the old download", await flow.end, "cut")
    const cut = flow.endedAt! - began
    await Expect.soon("404", 2000, async () => ((await arena.fetchConfig(old)).status === 404 ? true : undefined))
    const fresh = await subscriber.client(protocol)
    const at = await subscriber.passes(fresh, 5000)
    Expect.holds("the old config is refused", await subscriber.isRefused(client))
    const link = subscriber.subscription().config_path.split("/").at(-1)!
    golden.secrets.set(`${protocol}: a link`, link)
    golden.secrets.set(`${protocol}: a derived secret`, fresh.secret)
    return `old cut after ${cut} ms and its link 404; new traffic after ${at - began} ms`
  })

  await step("all in all, to the byte", async () => {
    await arena.converged(subscriber.id)
    const accounts = await subscriber.settled(25_000)
    Subscriber.agree(accounts)
    return `usage = plane = ${Subscriber.total(accounts.plane)} B; ${Subscriber.residue(accounts)}`
  })
}

/** Two nodes serve one subscription, and overrun together by at most what each was granted. */
const jointly = async (golden: Run): Promise<void> => {
  const { arena, report } = golden
  await report.step("two nodes, one limit: the joint overrun", async () => {
    const granted = 30 * mega
    const subscriber = await golden.subscribe({ max_traffic: granted, inbound_ids: arena.inbounds() })
    await arena.converged(subscriber.id)
    const clients = await Promise.all([subscriber.client("vless", 0), subscriber.client("shadowsocks", 1)])
    const request = { direction: "down", bytes: 10 * granted, rate: 4 * mega, timeout: 30_000 } as const
    const flows = await Promise.all(clients.map((client) => subscriber.begin(client, request)))
    const endings = await Promise.all(flows.map((flow) => flow.end))
    Expect.same("both downloads", endings.join(), "cut,cut")
    const accounts = await subscriber.settled(15_000)
    Subscriber.agree(accounts)
    const over = Subscriber.total(accounts.plane) - BigInt(granted)
    Expect.atLeast("bytes over the limit", over, 0n)
    Expect.atMost("bytes over the limit, against the sum of the grants", over, BigInt(arena.nodes.length * granted))
    const cuts = flows.map((flow) => `${((flow.endedAt! - flow.startedAt) / 1000).toFixed(1)} s`).join(" and ")
    return `${over} B over ${granted} B at 2 × 4 MB/s, cut after ${cuts}; grants add up to ${2 * granted} B`
  })
}

/** Runs the part. */
export const path = async (golden: Run): Promise<void> => {
  await Promise.all(
    Client.protocols.map((protocol) => golden.report.sequence(`path: ${protocol}`, () => walk(golden, protocol)))
  )
  await golden.report.sequence("path: two nodes", () => jointly(golden))
}
