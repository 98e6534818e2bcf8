/** The end of the soak: what the books say against what the database and the API say, byte for byte and change for change. */
import * as Counters from "../Counters.ts"
import * as Expect from "../Expect.ts"
import type { Report } from "../Report.ts"
import type { Account } from "../Simulator.ts"
import type { Administration } from "./Administration.ts"
import type { Ground, Wrong } from "./Ground.ts"
import type * as Kept from "./Kept.ts"
import type { Stranger } from "./Stranger.ts"
import type { Tunnel } from "./Tunnel.ts"

interface Bytes {
  readonly up: bigint
  readonly down: bigint
}

const none: Bytes = { up: 0n, down: 0n }
const plus = (a: Bytes, b: Bytes): Bytes => ({ up: a.up + b.up, down: a.down + b.down })
const inWords = ({ down, up }: Bytes) => `${up} up, ${down} down`
const same = (what: string, actual: Bytes | undefined, expected: Bytes | undefined) =>
  Expect.same(what, inWords(actual ?? none), inWords(expected ?? none))

const gather = <A>(items: ReadonlyArray<A>, key: (item: A) => string, bytes: (item: A) => Bytes) => {
  const sums = new Map<string, Bytes>()
  for (const item of items) sums.set(key(item), plus(sums.get(key(item)) ?? none, bytes(item)))
  return sums
}

const total = (sums: Iterable<Bytes>): Bytes => [...sums].reduce(plus, none)

/** A year before and a day after: clocks were moved. */
const span = () => {
  const now = Date.now()
  return `from=${new Date(now - 300 * 86_400_000).toISOString()}&to=${new Date(now + 86_400_000).toISOString()}`
}

interface Row {
  readonly bytes_up: number
  readonly bytes_down: number
}

const usageOf = async ({ api }: Ground, path: string): Promise<Bytes> => {
  const { items } = await api.request<{ readonly items: ReadonlyArray<Row> }>("GET", `${path}&${span()}`)
  return total(items.map(({ bytes_down, bytes_up }) => ({ up: BigInt(bytes_up), down: BigInt(bytes_down) })))
}

const sums = (rows: ReadonlyArray<string>) =>
  gather(
    rows.map((row) => row.split("|") as [string, string, string]),
    ([name]) => name,
    ([, up, down]) => ({ up: BigInt(up), down: BigInt(down) })
  )

/** Usage of everybody whom simulated agents reported for. */
export const usage = async (
  report: Report,
  ground: Ground,
  accounts: ReadonlyArray<Account>,
  kept: ReadonlyArray<Kept.Kept>
): Promise<void> => {
  const { database } = ground
  const refs = async (table: string, name: string) =>
    new Map(
      (await database.query(`SELECT ref, ${name} FROM vpnmgr.${table} WHERE ${name} IS NOT NULL`)).map(
        (row) => row.split("|") as [string, string]
      )
    )
  const subscriptions = await refs("credential", "subscription_id")
  const inbounds = await refs("inbound", "id")
  const bytes = ({ counted: { down, up } }: Account): Bytes => ({ up: BigInt(up), down: BigInt(down) })
  const of = ({ credential }: Account) =>
    Expect.present(`whose ${credential} is`, subscriptions.get(String(credential)))
  const at = ({ inbound }: Account) => Expect.present(`where ${inbound} is`, inbounds.get(String(inbound)))
  const simulated = `(${ground.simulated.map(({ inboundId }) => `'${inboundId}'`).join()})`
  const owners = new Map(kept.map(({ id, ownerId }) => [id, ownerId]))

  await report.step("all that agents counted was acknowledged", () => {
    const missing = accounts.filter(
      ({ acknowledged, counted }) => acknowledged.up !== counted.up || acknowledged.down !== counted.down
    )
    Expect.same("accounts that differ", missing.length, 0)
    return `${inWords(total(accounts.map(bytes)))} in ${accounts.length} accounts`
  })
  await report.step("usage by subscription and inbound, in the database", async () => {
    const expected = gather(accounts, (account) => `${of(account)} ${at(account)}`, bytes)
    const summed = async (rows: string) =>
      sums(
        await database.query(
          `SELECT subscription_id || ' ' || inbound_id, sum(bytes_up), sum(bytes_down) FROM (${rows}) w
           WHERE inbound_id IN ${simulated} GROUP BY 1`
        )
      )
    const columns = "subscription_id, inbound_id, bytes_up, bytes_down"
    const raw = `SELECT ${columns} FROM vpnmgr.traffic_report`
    const pending = "(SELECT batch FROM vpnmgr.report_batch WHERE is_pending)"
    const found = {
      raw: await summed(raw),
      kept: await summed(`SELECT ${columns} FROM vpnmgr.usage_piece UNION ALL ${raw} WHERE batch IN ${pending}`)
    }
    for (const [what, each] of Object.entries(found))
      for (const key of new Set([...expected.keys(), ...each.keys()]))
        same(`usage of ${key}, ${what},`, each.get(key), expected.get(key))
    return `${expected.size} sums equal, ${inWords(total(expected.values()))}`
  })
  await report.step("usage by subscription, through the API", async () => {
    const expected = gather(accounts, of, bytes)
    const living = kept.filter(({ isDeleted }) => !isDeleted)
    for (const { id } of living)
      same(`usage of ${id}`, await usageOf(ground, `/subscriptions/${id}/usage?by=inbound`), expected.get(id))
    return `${living.length} sums equal; ${kept.length - living.length} are deleted`
  })
  await report.step("usage by owner, in the database and through the API", async () => {
    const expected = gather(
      accounts,
      (account) => Expect.present(`the owner of ${of(account)}`, owners.get(of(account))),
      bytes
    )
    const found = sums(
      await database.query("SELECT owner_id, sum(bytes_up), sum(bytes_down) FROM vpnmgr.owner_usage GROUP BY 1")
    )
    const weighed = await database.query("SELECT owner_id, sum(used), 0 FROM vpnmgr.owner_usage GROUP BY 1")
    const used = sums(weighed)
    for (const [owner, counted] of expected) {
      same(`usage of owner ${owner}`, found.get(owner), counted)
      Expect.same(`weighted usage of owner ${owner}`, used.get(owner)?.up, (counted.up + counted.down) * 1000n)
      same(`the API's usage of owner ${owner}`, await usageOf(ground, `/users/${owner}/usage?by=node`), counted)
    }
    Expect.same("owners with usage", found.size, expected.size)
    return `${expected.size} owners, ${inWords(total(expected.values()))}`
  })
}

interface Reported {
  readonly from: string
  readonly timestamp: string
}

/** Every row that the real node reported. */
const reportsOf = async ({ api, node }: Ground): Promise<ReadonlyArray<Reported>> => {
  const rows: Array<Reported> = []
  for (let cursor = ""; ;) {
    const page = await api.request<{ readonly items: ReadonlyArray<Reported>; readonly next_cursor: string | null }>(
      "GET",
      `/traffic-reports?node_id=${node.id}&limit=200${cursor}`
    )
    rows.push(...page.items)
    if (page.next_cursor === null) return rows
    cursor = `&cursor=${page.next_cursor}`
  }
}

/** Usage on the real node, against the plane's own counters; and when it is said to have passed. */
export const traffic = async (
  report: Report,
  ground: Ground,
  tunnels: ReadonlyArray<Tunnel>,
  epoch: string,
  began: number
): Promise<void> => {
  await report.step("sing-box was never started again", async () => {
    Expect.same("its run", (await ground.node.run()).epoch, epoch)
    return `one run, ${tunnels.length} subscribers`
  })
  await report.step("usage on the real node, against the plane's counters", async () => {
    const counters = await ground.node.counters()
    let all = none
    for (const { credential, subscription } of tunnels) {
      const truth = Counters.sum(counters, (name) => name.startsWith(`${credential}.`))
      all = plus(all, truth)
      let found = none
      await Expect.soon(
        `usage of ${subscription.id} is ${inWords(truth)}`,
        20_000,
        async () => {
          found = await usageOf(ground, `/subscriptions/${subscription.id}/usage?by=inbound`)
          return inWords(found) === inWords(truth) ? true : undefined
        },
        () => inWords(found),
        500
      )
    }
    return inWords(all)
  })
  await report.step("no report of the real node is outside the run's time", async () => {
    const latest = Date.now() + 1000
    const rows = await reportsOf(ground)
    const isRight = ({ from, timestamp }: Reported) => Date.parse(from) >= began && Date.parse(timestamp) <= latest
    const others = rows.filter((row) => !isRight(row))
    const wrong = others.filter(({ timestamp }) => !ground.clocks.server.wrong().some(took(Date.parse(timestamp))))
    Expect.same(
      `rows of ${rows.length} at a wrong time`,
      wrong.map(({ from, timestamp }) => `${from} to ${timestamp}`).join(),
      ""
    )
    return `${rows.length} rows, ${others.length} of them taken by a server whose own clock was wrong`
  })
}

/** True of a span in which a server's clock was wrong, when it took at that moment what it says it took at `told`. */
const took =
  (told: number) =>
  ({ by, from, until }: Wrong): boolean =>
    told - by >= from - lag && told - by <= until

/** How long what was counted may have waited, milliseconds. */
const lag = 120_000

/** Audit equals the changes: each once. */
export const audit = async (
  report: Report,
  { database, person }: Ground,
  books: Kept.Books,
  { all, resolved }: Administration
): Promise<void> => {
  await report.step("the audit trail holds every change once", async () => {
    const ids = new Set(all().map(({ id }) => id))
    const found = new Map<string, number>()
    const rows = await database.query(
      `SELECT action, target_id FROM vpnmgr.audit_log WHERE actor_id = '${person.id}' AND target_type = 'subscription'`
    )
    for (const row of rows) {
      const [action, target] = row.split("|") as [string, string]
      if (ids.has(target)) found.set(`${action} ${target}`, (found.get(`${action} ${target}`) ?? 0) + 1)
    }
    const made = rows.filter((row) => row.startsWith("subscription.create|")).length
    for (const key of new Set([...books.changes().keys(), ...found.keys()]))
      Expect.same(`records of ${key}`, found.get(key) ?? 0, books.changes().get(key) ?? 0)
    const kinds = [...books.byAction()].map(([action, count]) => `${action} ${count}`).join(", ")
    return `${kinds}; ${resolved()} had by asking again; ${made} created in all`
  })
}

/** The quarantine holds what the stranger sent and nothing else. */
export const quarantine = async (report: Report, { database }: Ground, stranger: Stranger): Promise<void> => {
  await report.step("the quarantine holds what was sent to it, once", async () => {
    const found = new Map(
      (await database.query("SELECT spool || '/' || seq, count(*) FROM vpnmgr.quarantine GROUP BY 1")).map(
        (row) => row.split("|") as [string, string]
      )
    )
    for (const [batch, entries] of stranger.taken())
      Expect.same(`entries of ${batch}`, found.get(batch), String(entries))
    Expect.same("batches", found.size, stranger.taken().size)
    const [conflicts] = await database.query("SELECT count(*) FROM vpnmgr.report_conflict")
    Expect.same("batches set aside", conflicts, "0")
    return `${stranger.taken().size} batches, none set aside`
  })
}
