/**
 * Goal 10: pages of subscriptions through the API, in every order, by every filter that matters and by searches, for a
 * superuser and for an operator; from the beginning and from cursors deep in the list. What counts is PostgreSQL's own
 * account of the time that it planned and executed for a request, all statements of it together, beside plain SQL that
 * reads the same page. Every page is checked: it holds what the seed says, in order.
 */
import { Api } from "@vpnmgr/proof"
import { type Bench, type Case, largest } from "../Case.ts"
import * as Cpu from "../Cpu.ts"
import { median, type Row, short } from "../Figures.ts"
import { idOf, titleOf } from "../Seed.ts"
import * as Shapes from "../Shapes.ts"
import type { Site } from "../Site.ts"
import * as Statements from "../Statements.ts"

/** Items of a page, and requests of each measurement. */
const limit = 50
const requests = 6

const milliseconds = 5
const deeper = 1.5

type Reader = "superuser" | "operator"
type Place = "first" | "middle" | "end"

/** Of the first subscription, milliseconds since the epoch: others follow by the second, and end at one time. */
interface Times {
  readonly createdAt: number
  readonly expiresAt: number
}

interface Page {
  readonly items: ReadonlyArray<{ readonly id: string }>
  readonly next_cursor: string | null
}

/** One page that is asked for again and again. */
interface Asked {
  readonly shape: Shapes.Shape
  readonly reader: Reader
  readonly place: Place
  readonly path: string
  readonly expected: ReadonlyArray<string>
  readonly plain: string
  /** Milliseconds of the database, one of each round. */
  readonly ours: Array<number>
  readonly theirs: Array<number>
  /** CPU of all of PostgreSQL in that time, milliseconds a request: the same on a busy machine. */
  readonly cpu: Array<number>
}

const keys = { id: "s.id", title: "s.title_key", created_at: "s.created_at", expires_at: "s.expires_at" } as const

const keyOf = (sort: Shapes.Sort) => keys[sort.replace("-", "") as keyof typeof keys]

const ownerIs = ({ operator }: Site, reader: Reader) =>
  reader === "operator" ? `s.owner_id = '${operator.id}'` : "true"

const plainOf = (site: Site, shape: Shapes.Shape, reader: Reader, after: number | null) => {
  const key = keyOf(shape.sort)
  const isDown = shape.sort.startsWith("-")
  const at = after === null ? "" : `(SELECT ${key} FROM subscription s WHERE s.id = '${idOf(after)}')`
  const beyond = after === null ? "true" : `(${key}, s.id) ${isDown ? "<" : ">"} (${at}, '${idOf(after)}'::uuid)`
  const down = isDown ? " DESC" : ""
  return `SELECT s.*, ARRAY(SELECT l.inbound_id FROM subscription_inbound l WHERE l.subscription_id = s.id)
    FROM subscription s WHERE s.deleted_at IS NULL AND ${ownerIs(site, reader)} AND ${shape.where} AND ${beyond}
    ORDER BY ${key}${down}, s.id${down} LIMIT ${limit + 1}`
}

/** The cursor that a page would end with at number `n`: made of another cursor of the list. */
const cursorAt = ({ sort }: Shapes.Shape, { createdAt, expiresAt }: Times, cursor: string, n: number) => {
  const [list] = JSON.parse(Buffer.from(cursor, "base64url").toString().slice(2)) as [string]
  const created = createdAt + (n - 1) * 1000
  const values = {
    [keys.id]: null,
    [keys.title]: titleOf(n).toLowerCase(),
    [keys.created_at]: created,
    [keys.expires_at]: Shapes.marks.expired(n) ? created - Shapes.expiredBefore : expiresAt
  }
  return Buffer.from(`2:${JSON.stringify([list, values[keyOf(sort)], idOf(n)])}`).toString("base64url")
}

const check = ({ expected, path }: Pick<Asked, "expected" | "path">, { items }: Page) => {
  const wrong = items.findIndex(({ id }, index) => id !== expected[index])
  if (wrong >= 0 || items.length !== expected.length)
    throw new Error(
      `${path}: ${items.length} items instead of ${expected.length}; item ${wrong} is not what was seeded`
    )
}

const places = ({ group }: Shapes.Shape): ReadonlyArray<Place> =>
  group === "order" ? ["first", "middle", "end"] : ["first", "middle"]

const prepare = async (
  site: Site,
  times: Times,
  shape: Shapes.Shape,
  reader: Reader,
  api: Api.Api
): Promise<ReadonlyArray<Asked>> => {
  const count = site.subscriptions
  const query = new URLSearchParams({ ...shape.query, sort: shape.sort, limit: String(limit) })
  const { next_cursor: cursor } = await api.request<Page>("GET", `/subscriptions?${query}`)
  const isDown = shape.sort.startsWith("-")
  const at = (share: number) => Math.max(1, Math.floor(count * (isDown ? 1 - share : share)))
  const starts: Record<Place, number | null> = { first: null, middle: at(0.5), end: at(0.99) }
  const asked: Array<Asked> = []
  for (const place of cursor === null ? (["first"] as const) : places(shape)) {
    const after = starts[place]
    if (after !== null) query.set("cursor", cursorAt(shape, times, cursor!, after))
    asked.push({
      shape,
      reader,
      place,
      path: `/subscriptions?${query}`,
      expected: Shapes.expected(shape, count, after, limit, reader === "operator").map(idOf),
      plain: plainOf(site, shape, reader, after),
      ours: [],
      theirs: [],
      cpu: []
    })
  }
  return asked
}

/** What the statements that ran with every request took, milliseconds for each. */
const each = (statements: ReadonlyArray<Statements.Statement>, times: number): number =>
  statements
    .filter(({ calls }) => calls >= times)
    .reduce((sum, { executed, planned }) => sum + (executed + planned) / times, 0)

const measure = async (site: Site, asked: Asked, api: Api.Api, postgres: number) => {
  const { url } = site.sql
  const before = Cpu.ran(postgres)
  for (let n = 0; n < requests; n++) check(asked, await api.request<Page>("GET", asked.path))
  asked.cpu.push(Cpu.between(before, Cpu.ran(postgres)) / requests)
  asked.ours.push(each(await Statements.take(url), requests))
  const plain = (await Statements.take(url, asked.plain)).filter(({ query }) => query.startsWith("SELECT s.*"))
  asked.theirs.push(each(plain, 1))
}

const named = ({ place, reader, shape: { name, sort } }: Asked) => `${reader}: ${name}, by ${sort}, ${place}`

const worst = <A>(all: ReadonlyArray<A>, of: (one: A) => number): A =>
  all.reduce((most, one) => (of(one) > of(most) ? one : most))

const titles = { order: "a page, every order", filter: "a page, by a filter", search: "a page, by a search" } as const

const judge = (site: Site, all: ReadonlyArray<Asked>, cpu: string): ReadonlyArray<Row> => {
  const ms = (values: ReadonlyArray<number>) => `${short(median(values))} ms`
  const rows: Array<Row> = []
  for (const group of ["order", "filter", "search"] as const) {
    const pages = all.filter(({ shape }) => shape.group === group)
    const top = worst(pages, ({ ours }) => median(ours))
    const within = pages.filter(({ ours }) => median(ours) <= milliseconds).length
    const middle = `${within} of ${pages.length} within, the middle one ${ms(pages.map(({ ours }) => median(ours)))}`
    rows.push({
      goal: 10,
      what: titles[group],
      subscriptions: site.subscriptions,
      values: top.ours,
      unit: "ms",
      bound: { atMost: milliseconds },
      yardstick: `CPU ${ms(top.cpu)}; plain SQL ${ms(top.theirs)}; the slowest is ${named(top)}; ${middle}; ${cpu}`,
      seen: Object.fromEntries(
        pages.map((page) => [named(page), { ours: page.ours, cpu: page.cpu, plain: page.theirs }])
      )
    })
    const deep = pages.flatMap((page) => {
      const first = pages.find(
        (one) => one.shape === page.shape && one.reader === page.reader && one.place === "first"
      )!
      return page.place === "first" ? [] : [{ page, first, values: page.ours.map((time, n) => time / first.ours[n]!) }]
    })
    const farthest = worst(deep, ({ values }) => median(values))
    rows.push({
      goal: 10,
      what: `${titles[group]}, deep against first`,
      subscriptions: site.subscriptions,
      values: farthest.values,
      unit: "×",
      bound: { atMost: deeper },
      yardstick: `${named(farthest.page)} ${ms(farthest.page.ours)}, first ${ms(farthest.first.ours)}; ${deep.filter(({ values }) => median(values) <= deeper).length} of ${deep.length} within`,
      seen: Object.fromEntries(deep.map(({ page, values }) => [named(page), values]))
    })
  }
  return rows
}

/** Makes an inbound that few have and changes the subscriptions of the marks; answers what takes that back. */
const mark = async (site: Site) => {
  const { api, sql } = site
  for (const id of await sql.run(`SELECT id FROM subscription WHERE id > '${idOf(2 ** 40)}' AND deleted_at IS NULL`))
    await api.remove(id)
  const base = Number((await sql.run(`SELECT credential FROM subscription WHERE id = '${idOf(1)}'`))[0]) - 1
  const [deadline, created, expires] = await sql.run(
    `SELECT expires_at FROM subscription WHERE id = '${idOf(1)}'`,
    `SELECT extract(epoch FROM created_at) * 1000 FROM subscription WHERE id = '${idOf(1)}'`,
    `SELECT extract(epoch FROM expires_at) * 1000 FROM subscription WHERE id = '${idOf(1)}'`
  )
  const [all] = await api.inbounds()
  const node = await api.createNode("few")
  const few = await api.createInbound({
    node_id: node.id,
    host: "198.51.100.99",
    listen: "::",
    port: 30_001,
    settings: { protocol: "shadowsocks" }
  })
  const { off, on } = Shapes.marking(base, few.id, deadline!)
  await sql.run(
    ...on,
    "VACUUM (ANALYZE) subscription",
    "VACUUM (ANALYZE) bucket",
    "VACUUM (ANALYZE) subscription_inbound"
  )
  return {
    facts: { count: site.subscriptions, inbounds: { all: all!.id, few: few.id }, node: all!.node_id },
    times: { createdAt: Number(created), expiresAt: Number(expires) },
    restore: async () => {
      await sql.run(...off)
      await api.request("DELETE", `/inbounds/${few.id}`)
      await api.request("DELETE", `/nodes/${node.id}`)
      await sql.run("VACUUM (ANALYZE) subscription")
    }
  }
}

const measureAll = async (bench: Bench, site: Site, facts: Shapes.Facts, times: Times): Promise<ReadonlyArray<Row>> => {
  const operator = Api.make(site.server.url)
  await operator.signIn(site.operator.username, site.operator.password)
  const apis: Record<Reader, Api.Api> = { superuser: site.api, operator }
  const shapes = Shapes.shapes(facts)
  const all: Array<Asked> = []
  for (const shape of shapes) all.push(...(await prepare(site, times, shape, "superuser", apis.superuser)))
  for (const shape of shapes.filter(({ sort }) => sort !== "-created_at"))
    all.push(...(await prepare(site, times, shape, "operator", apis.operator)))
  for (const asked of all) await apis[asked.reader].request("GET", asked.path)
  await Statements.take(site.sql.url)

  const { postgres, server } = site.behind()
  if (postgres === null) throw new Error("there is no PostgreSQL of the run")
  const used = () => Cpu.used(server)
  const before = used()
  for (let round = 0; round < bench.rounds; round++)
    for (const asked of all) await measure(site, asked, apis[asked.reader], postgres)
  const cost = ((used() - before) * 1000) / (bench.rounds * all.length * requests)
  for (const asked of all.filter(({ ours }) => median(ours) > milliseconds))
    bench.note(
      `${named(asked)}: ${short(median(asked.ours))} ms, CPU ${short(median(asked.cpu))} ms; plain SQL ${short(median(asked.theirs))} ms`
    )
  return judge(site, all, `CPU of the server ${cost.toFixed(0)} µs a request`)
}

export const lists: Case = {
  name: "lists",
  goals: [10],
  budget: 300,
  run: async (bench) => {
    const site = largest(bench)
    const { facts, restore, times } = await mark(site)
    await Statements.count(site.sql.url)
    try {
      return await measureAll(bench, site, facts, times)
    } finally {
      await Statements.rest(site.sql.url)
      await restore()
    }
  }
}
