/**
 * Part two, the neighbour: somebody else's download stays open and moving, on every protocol, through whatever is done
 * to others. Then the one restart that a refill of the pool costs, and what it costs.
 */
import * as Client from "../Client.ts"
import * as Expect from "../Expect.ts"
import * as Flow from "../Flow.ts"
import type { Node } from "../Node.ts"
import * as Subscriber from "../Subscriber.ts"
import { together } from "../Together.ts"
import type { Run } from "./Run.ts"

const mega = 1_000_000

/** What a neighbour downloads with, and at least gets; bytes per second. */
const rate = 5.5 * mega
const least = 5 * mega

/** A download that has not moved for this long counts as stuck, milliseconds. */
const stuck = 2000

/** How many others there are, and how many of them are done what. */
const others = 40
const some = 20

/** The limit of those who are cut off, and what they try to get. */
const small = mega / 4

interface Neighbour {
  readonly subscriber: Subscriber.Subscriber
  readonly client: Client.Client
  readonly flow: Flow.Flow
}

const epochs = async (nodes: ReadonlyArray<Node>) =>
  (await Promise.all(nodes.map(async (node) => (await node.run()).epoch))).join()

const median = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const spread = (values: ReadonlyArray<number>) => `median ${median(values)} ms, longest ${Math.max(...values)} ms`

const settle = async (golden: Run): Promise<ReadonlyArray<Neighbour>> =>
  Promise.all(
    Client.protocols.map(async (protocol) => {
      const inbound_ids = golden.arena.inbounds({ protocols: [protocol] })
      const subscriber = await golden.subscribe({ title: `neighbour ${protocol}`, inbound_ids })
      await golden.arena.converged(subscriber.id)
      const client = await subscriber.client(protocol)
      const flow = await subscriber.begin(client, { direction: "down", bytes: 10_000 * mega, rate })
      await Expect.soon(`${protocol} moves`, 5000, () => (flow.received > mega ? true : undefined))
      return { subscriber, client, flow }
    })
  )

const moving = (neighbours: ReadonlyArray<Neighbour>, since: number): string => {
  const gaps = neighbours.map(({ client: { protocol }, flow }) => {
    Expect.holds(`${protocol}: the download is open`, flow.isOpen)
    const gap = Flow.longestGap({ samples: flow.samples.filter(({ at }) => at >= since - 200) })
    Expect.atMost(`${protocol}: milliseconds without a byte`, gap, stuck)
    return gap
  })
  return `longest gap ${Math.max(...gaps)} ms`
}

const disturb = async (golden: Run, neighbours: ReadonlyArray<Neighbour>): Promise<ReadonlyArray<string>> => {
  const { arena, report } = golden
  const { api } = arena
  const ids: Array<string> = []
  const change = (name: string, act: () => Promise<string>) =>
    report.step(`neighbour: ${name}`, async () => {
      const since = Date.now()
      const figure = await act()
      return `${figure}; ${moving(neighbours, since)}`
    })
  const each = async (of: ReadonlyArray<string>, act: (id: string) => Promise<unknown>) =>
    spread(
      await together(of, 4, async (id) => {
        const began = Date.now()
        await act(id)
        await arena.converged(id)
        return Date.now() - began
      })
    )

  await change(`${others} creations`, async () => {
    const took = await together(Array.from({ length: others }), 4, async () => {
      const began = Date.now()
      const { id } = await api.create({ title: "other", inbound_ids: arena.inbounds() })
      await arena.converged(id)
      ids.push(id)
      return Date.now() - began
    })
    return `until both nodes serve it: ${spread(took)}`
  })
  await change(`${others} suspensions`, () => each(ids, (id) => api.act(id, "suspend")))
  await change(`${others} resumptions`, () => each(ids, (id) => api.act(id, "resume")))
  await change(`${some} cut-offs by limit`, async () => {
    const late = await together(ids.slice(0, some), 4, async (id, index) => {
      await api.change(id, { max_traffic: small })
      await arena.converged(id)
      const client = await arena.client(await api.get(id), Client.protocols[index % Client.protocols.length]!)
      const flow = await client.begin({ direction: "down", bytes: 20 * small, rate: 2 * small, timeout: 20_000 })
      Expect.same("the other's download", await flow.end, "cut")
      Expect.atLeast("its bytes", flow.received, small - mega / 10)
      await client.close()
      return flow.endedAt! - flow.firstByteAt!
    })
    return `first byte to the cut: ${spread(late)}`
  })
  await change(`${some} rotations`, () => each(ids.slice(some), (id) => api.act(id, "rotate")))
  await change(`${some} deletions`, async () => {
    const began = Date.now()
    await together(ids.slice(0, some), 4, (id) => api.remove(id))
    const [gone] = ids.splice(0, some)
    await Expect.soon("a deleted one is gone", 3000, async () => {
      const delivered = await Client.fetchConfig(`${arena.server.url}/s/${gone}`)
      return delivered.status === 404 ? true : undefined
    })
    return `${Date.now() - began} ms in all`
  })
  return ids
}

/** Reads the counters without a pause until both planes are others: what they stood at when they came to rest. */
const watch = async ({ arena, look }: Run, before: string) => {
  const [former, until] = [before.split(","), Date.now() + 30_000]
  for (let left = former.length; left > 0 && Date.now() < until;) {
    await look()
    const now = (await epochs(arena.nodes)).split(",")
    left = now.filter((epoch, index) => epoch === former[index]).length
  }
}

const refill = async (golden: Run, neighbours: ReadonlyArray<Neighbour>, before: string) => {
  const { arena, report } = golden
  await report.step("neighbour: the refill's one restart", async () => {
    const pool = await arena.api.pool()
    const began = Date.now()
    const watching = watch(golden, before)
    const { added } = await arena.api.refill()
    Expect.atLeast("spares added", added, 1)
    const back = await Promise.all(
      neighbours.map(async ({ client, flow, subscriber }) => {
        Expect.same(`${client.protocol}: the download`, await flow.end, "cut")
        return (await subscriber.passes(client, 60_000)) - flow.endedAt!
      })
    )
    const all = Date.now() - began
    await watching
    const runs = await Expect.soon("both planes are new", 10_000, async () => {
      const now = (await epochs(arena.nodes)).split(",")
      return now.every((epoch, index) => epoch !== before.split(",")[index]) ? now.join() : undefined
    })
    await new Promise((resolve) => setTimeout(resolve, 3000))
    Expect.same("further restarts", await epochs(arena.nodes), runs)
    const worked = neighbours.map(({ client: { protocol } }, index) => `${protocol} ${back[index]} ms`).join(", ")
    return `${pool.spares} + ${added} spares; dropped ${neighbours.length} of ${neighbours.length}; worked again after ${worked}; ${all} ms in all`
  })
  await report.step("neighbour: nothing was lost in the restart", async () => {
    const figures = await Promise.all(
      neighbours.map(async ({ client, subscriber }) => {
        const accounts = await subscriber.settled(30_000)
        Subscriber.agree(accounts)
        return `${client.protocol} ${Subscriber.total(accounts.usage)} B (${Subscriber.residue(accounts)})`
      })
    )
    return figures.join("; ")
  })
}

/** Runs the part. */
export const neighbour = (golden: Run): Promise<void> =>
  golden.report.sequence("neighbour", async () => {
    const { arena, report } = golden
    const before = await epochs(arena.nodes)
    let neighbours: ReadonlyArray<Neighbour> = []
    await report.step("neighbour: downloads run", async () => {
      neighbours = await settle(golden)
      return `${neighbours.length} × ${rate / mega} MB/s`
    })
    try {
      const left = await disturb(golden, neighbours)
      await report.step("neighbour: restarts and drops", async () => {
        Expect.same("the runs of both planes", await epochs(arena.nodes), before)
        const figures = neighbours.map(({ client: { protocol }, flow }) => {
          const last = flow.samples.at(-1)!
          const got = (flow.received * 1000) / (last.at - flow.startedAt)
          Expect.atLeast(`${protocol}: bytes per second`, got, least)
          return `${protocol} ${(got / mega).toFixed(2)} MB/s, longest gap ${Flow.longestGap(flow)} ms`
        })
        const seconds = (Date.now() - neighbours[0]!.flow.startedAt) / 1000
        return `0 restarts, 0 of ${neighbours.length} connections dropped in ${seconds.toFixed(0)} s: ${figures.join("; ")}`
      })
      await refill(golden, neighbours, before)
      await together(left, 4, (id) => arena.api.remove(id))
    } finally {
      for (const { flow } of neighbours) flow.close()
    }
  })
