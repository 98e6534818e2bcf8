/**
 * Part three, offline: without the server the node cuts and lets in by itself, and everything agrees when it is back;
 * without the agent the change is named as pending; and whoever may not pass does not, whatever crashes.
 */
import * as Client from "../Client.ts"
import * as Expect from "../Expect.ts"
import * as Subscriber from "../Subscriber.ts"
import { anchorAt, type Run } from "./Run.ts"
import { crossedAt, cutWithin } from "./Path.ts"

const mega = 1_000_000

/** How long after an instant it may take until the node has acted on it, milliseconds. */
const promptly = 2000

const onlyOn = (golden: Run, protocol: Client.Protocol) => golden.arena.inbounds({ protocols: [protocol] })

/** The server is stopped: one expires, one exhausts its limit, one's window turns, one just goes on. */
const serverStopped = async (golden: Run): Promise<void> => {
  const { arena, report } = golden
  const { api } = arena
  const limit = 12 * mega
  const made = async (protocol: Client.Protocol, draft: object) => {
    const subscriber = await golden.subscribe({ ...draft, inbound_ids: onlyOn(golden, protocol) })
    await arena.converged(subscriber.id)
    return { subscriber, client: await subscriber.client(protocol) }
  }
  const [turning, exhausting, steady] = await Promise.all([
    made("hysteria2", { max_traffic: 2 * mega, traffic_reset_period: "PT30S", anchor: anchorAt(Date.now()) }),
    made("shadowsocks", { max_traffic: limit }),
    made("vless", {})
  ])
  let windowEnd = 0
  let expiring!: typeof steady
  let expiresAt = 0

  await report.step("offline: one is over limit already, then the server is stopped", async () => {
    const { client, subscriber } = turning
    Expect.same(
      "its download",
      await (
        await subscriber.begin(client, { direction: "down", bytes: 50 * mega, rate: 4 * mega })
      ).end,
      "cut"
    )
    const over = await Expect.soon("over_limit", 12_000, async () => {
      const now = await api.get(subscriber.id)
      return now.state === "over_limit" ? now : undefined
    })
    windowEnd = Date.parse(Expect.present("the window's end", over.window_end))
    expiresAt = Math.min(windowEnd - 2000, Date.now() + 9000)
    expiring = await made("vless", { expires_at: new Date(expiresAt).toISOString() })
    return `stopped in ${await arena.server.stop()} ms, ${windowEnd - Date.now()} ms before the window's end`
  })

  const expires = report.step("offline: the node cuts the expired", async () => {
    const { client, subscriber } = expiring
    const flow = await subscriber.begin(client, { direction: "down", bytes: 200 * mega, rate: mega, timeout: 40_000 })
    Expect.same("the download", await flow.end, "cut")
    const late = flow.endedAt! - expiresAt
    Expect.atLeast("milliseconds after the expiry", late, -50)
    Expect.atMost("milliseconds after the expiry", late, promptly)
    Expect.holds("new connections are refused", await subscriber.isRefused(client))
    return `${late} ms after its expiry, ${flow.received} B`
  })
  const exhausts = report.step("offline: the node cuts at the limit", async () => {
    const { client, subscriber } = exhausting
    const flow = await subscriber.begin(client, {
      direction: "down",
      bytes: 20 * limit,
      rate: 3 * mega,
      timeout: 40_000
    })
    Expect.same("the download", await flow.end, "cut")
    const late = flow.endedAt! - crossedAt(flow, limit)
    Expect.atMost("milliseconds from exhaustion to the cut", late, cutWithin)
    Expect.holds("new connections are refused", await subscriber.isRefused(client))
    return `overrun ${flow.received + flow.sent - limit} B, ${Math.round(late)} ms from exhaustion to the cut`
  })
  const turns = report.step("offline: the window turns, let in by the node", async () => {
    const { client, subscriber } = turning
    Expect.holds("refused until then", await subscriber.isRefused(client))
    const at = await subscriber.passes(client, windowEnd - Date.now() + 5000)
    Expect.atLeast("milliseconds after the window's end", at - windowEnd, 0)
    Expect.atMost("milliseconds after the window's end", at - windowEnd, promptly)
    const flow = await subscriber.begin(client, { direction: "down", bytes: mega / 2 })
    Expect.same("the transfer", await flow.end, "whole")
    return `${at - windowEnd} ms after the window's end`
  })
  const goesOn = report.step("offline: whoever may pass goes on", async () => {
    const { client, subscriber } = steady
    const flow = await subscriber.begin(client, { direction: "down", bytes: 8 * mega, rate: mega })
    Expect.same("the download", await flow.end, "whole")
    return `${flow.received} B in ${flow.endedAt! - flow.startedAt} ms`
  })
  const outcomes = await Promise.allSettled([expires, exhausts, turns, goesOn])

  await report.step("offline: the server is back and everything agrees", async () => {
    const ready = await arena.server.start()
    const [figures, took] = await Expect.timed(() =>
      Promise.all(
        [expiring, exhausting, turning, steady].map(async ({ subscriber }) => {
          const accounts = await subscriber.settled(45_000)
          Subscriber.agree(accounts)
          return `${Subscriber.total(accounts.usage)} B`
        })
      )
    )
    const states = await Promise.all(
      [expiring, exhausting, turning, steady].map(async ({ subscriber }) => (await api.get(subscriber.id)).state)
    )
    Expect.same("the states", states.join(), "expired,over_limit,active,active")
    return `ready in ${ready} ms; usage = plane ${took} ms later: ${figures.join(", ")}; ${states.join(", ")}`
  })
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason
}

/** An agent is stopped: what is changed meanwhile has not converged, by name. */
const agentStopped = (golden: Run): Promise<string> =>
  golden.report.step("offline: without its agent, the node is named as pending", async () => {
    const { arena } = golden
    const node = arena.nodes[1]!
    const subscriber = await golden.subscribe({ inbound_ids: arena.inbounds() })
    await arena.converged(subscriber.id)
    const old = await subscriber.client("vless", 1)
    await subscriber.passes(old, 5000)
    await node.stopAgent()
    await subscriber.rotate()
    await new Promise((resolve) => setTimeout(resolve, 3000))
    const { pending_node_ids } = await arena.api.get(subscriber.id)
    Expect.same("the nodes that do not serve it yet", pending_node_ids.join(), node.id)
    await subscriber.passes(old, 3000)
    await node.startAgent()
    const took = await arena.converged(subscriber.id)
    Expect.holds("the old config is refused there", await subscriber.isRefused(old))
    return `${node.name} named, its sing-box goes on; converged ${took} ms after the agent's start`
  })

interface Outsider {
  readonly what: string
  readonly client: Client.Client
}

/** How many spares are left alone, since the part itself takes some before it looks. */
const ahead = 8

/** Who must not pass at a protocol of the first node, and how each may pass after all. */
const outsiders = async (golden: Run, protocol: Client.Protocol, model: Client.Config) => {
  const { arena } = golden
  const node = arena.nodes[0]!
  const elsewhere = Client.protocols.find((other) => other !== protocol)!
  const unlinked = await golden.subscribe({ inbound_ids: arena.inbounds({ nodes: [0], protocols: [elsewhere] }) })
  golden.unbooked.add(unlinked)
  await arena.converged(unlinked.id)
  const { config } = await arena.fetchConfig(unlinked.subscription())
  const own = Subscriber.secretAt(Expect.present("a config", config), elsewhere, node.address)
  const listed = await node.listed()
  const at = (credential: string) =>
    listed.find(({ name, protocol: here }) => here === protocol && name.split(".")[0] === credential)?.secret
  const credential = listed.find(({ secret }) => secret === own)?.name.split(".")[0] ?? ""
  const secret = Expect.present("its listing at the other inbound", at(credential))
  const refs = (entries: typeof listed) => [...new Set(entries.map(({ name }) => Number(name.split(".")[0]!.slice(1))))]
  const newest = Math.max(...refs(listed.filter(({ isOpen }) => isOpen)))
  const next = refs(listed)
    .filter((ref) => ref > newest)
    .toSorted((a, b) => a - b)
  const spare = `c${Expect.present("a spare", next[ahead + Client.protocols.indexOf(protocol)])}`
  return {
    unlinked,
    spare,
    secret,
    all: [
      { what: "unlinked", client: await arena.client(Client.withSecret(model, protocol, secret), protocol) },
      {
        what: "spare",
        client: await arena.client(
          Client.withSecret(model, protocol, Expect.present("the spare's secret", at(spare))),
          protocol
        )
      }
    ] satisfies ReadonlyArray<Outsider>
  }
}

const refuse = async (golden: Run, who: ReadonlyArray<Outsider>) => {
  for (const { client, what } of who) {
    const flow = client.open({ direction: "down", bytes: 1, timeout: 3000 })
    Expect.same(`${what} at ${client.protocol}`, await flow.end, "refused")
    Expect.same(
      `${what} at ${client.protocol}, seen by the origin`,
      golden.arena.origin.count(flow.token).connections,
      0
    )
  }
}

/** Listed but not linked, and a spare: refused, also right after a crash of sing-box; linked, they pass. */
const refused = async (golden: Run): Promise<void> => {
  const { arena, report } = golden
  const node = arena.nodes[0]!
  const member = await golden.subscribe({ inbound_ids: arena.inbounds({ nodes: [0] }) })
  const suspended = await golden.subscribe({ inbound_ids: arena.inbounds({ nodes: [0] }) })
  golden.unbooked.add(member).add(suspended)
  await arena.converged(suspended.id)
  await arena.converged(member.id)
  const model = Expect.present("a config", (await arena.fetchConfig(member.subscription())).config)
  const rows = await Promise.all(
    Client.protocols.map(async (protocol) => ({
      protocol,
      control: await member.client(protocol),
      suspended: await suspended.client(protocol),
      ...(await outsiders(golden, protocol, model))
    }))
  )

  await report.step("refused: not linked, and spares", async () => {
    for (const { all, control } of rows) {
      await member.passes(control, 5000)
      await refuse(golden, all)
    }
    return `${rows.length * 2} clients with listed credentials, 0 passed; the linked one passes at each protocol`
  })

  await report.step("refused: also right after kill -9 of sing-box", async () => {
    await Promise.all(rows.map(({ suspended: client }) => suspended.passes(client, 5000)))
    await arena.api.act(suspended.id, "suspend")
    await arena.converged(suspended.id)
    const { epoch } = await node.run()
    const began = Date.now()
    const pid = await node.killSingBox()
    let tries = 0
    const watching = rows.map(async ({ all, control, suspended: client }) => {
      let back = 0
      for (const until = Date.now() + 12_000; Date.now() < until && (back === 0 || Date.now() < began + back + 3000);) {
        await refuse(golden, [...all, { what: "suspended", client }])
        tries += all.length + 1
        if (back === 0 && (await control.passes(2000))) back = Date.now() - began
      }
      Expect.atLeast(`${control.protocol}: the linked one is back`, back, 1)
      return `${control.protocol} ${back} ms`
    })
    const back = await Promise.all(watching)
    Expect.holds("it is another run", (await node.run()).epoch !== epoch)
    return `pid ${pid} killed; ${tries} tries refused; the linked one passed again after ${back.join(", ")}`
  })

  await report.step("control: linked, or given away, they pass", async () => {
    for (const { all, unlinked } of rows) {
      await arena.api.link(unlinked.id, arena.inbounds({ nodes: [0] }))
      await arena.converged(unlinked.id)
      await Expect.soon("the linked one passes", 5000, async () => ((await all[0]!.client.passes()) ? true : undefined))
    }
    const waiting = new Set(rows.map(({ all }) => all[1]!))
    let given = 0
    for (const { spares } = await arena.api.pool(); waiting.size > 0 && given < spares; given += 8) {
      const made = await Promise.all(
        Array.from({ length: 8 }, () => arena.api.create({ inbound_ids: arena.inbounds({ nodes: [0] }) }))
      )
      await Promise.all(made.map(({ id }) => arena.converged(id)))
      for (const outsider of waiting) if (await outsider.client.passes()) waiting.delete(outsider)
    }
    Expect.same("spares that still do not pass", waiting.size, 0)
    return `${rows.length} linked; the same ${rows.length} spares pass once given away (${given} creations)`
  })
}

/** Runs the part. */
export const offline = async (golden: Run): Promise<void> => {
  await golden.report.sequence("offline: server", () => serverStopped(golden))
  await golden.report.sequence("offline: agent", async () => void (await agentStopped(golden)))
  await golden.report.sequence("refused", () => refused(golden))
}
