/** Real things of real people on a running server: two operators, two superusers, a node, and what each of them owns. */
import { Effect } from "effect"
import * as Server from "../Server.ts"

const { ask } = Server

export interface Person {
  readonly id: string
  readonly username: string
  readonly password: string
  readonly token: string
}

/** Whose a thing is, seen from the operator who asks. */
export type Whose = "own" | "others" | "unowned"

/** Everybody's. */
export const password = "the password of everybody"

/** A word that is in the title of everybody's subscriptions. */
export const word = "harbour"

let count = 0
const next = () => `${(count += 1)}`

export const created = Effect.fnUntraced(function* (token: string, path: string, body?: unknown) {
  const answered = yield* ask(`POST /api/v1/${path}`, { token, body })
  if (answered.status !== 201) return yield* Effect.die(new Error(`POST ${path}: ${answered.status} ${answered.text}`))
  return answered.json
})

const person = Effect.fnUntraced(function* (root: string, role: "superuser" | "operator") {
  const username = `${role}-${next()}`
  const { id } = yield* created(root, "users", { username, password, role })
  const { token } = yield* created(root, "session", { username, password })
  return { id, username, password, token } as Person
})

const agent = { "vpnmgr-protocol": "1.0" }
const spool = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4f"

interface Entry {
  readonly credential: number
  readonly inbound: number
  readonly bytes_up: number
  readonly bytes_down: number
}

/** Sends a batch as the node; answers the status. */
const reported = Effect.fnUntraced(function* (key: string, seq: number, entries: ReadonlyArray<Entry>) {
  const to = new Date().toISOString()
  const batch = { spool, seq, from: new Date(Date.now() - 2000).toISOString(), to, entries }
  const body = { batch, sent_at: to, lowest: 1, agent_version: "test", plane_version: null }
  return (yield* ask("POST /node/v1/reports", { token: key, headers: agent, body })).status
})

/** Reports a byte of every credential that may use the node, so that each subscription has records. */
const reportUse = Effect.fnUntraced(function* (key: string) {
  const { json } = yield* ask("GET /node/v1/state", { token: key, headers: agent })
  const { credentials } = json as { readonly credentials: ReadonlyArray<{ ref: number; open: ReadonlyArray<number> }> }
  const entries = credentials.flatMap(({ ref, open }) =>
    open.map((inbound) => ({ credential: ref, inbound, bytes_up: 1, bytes_down: 1 }))
  )
  const status = yield* reported(key, Number(next()), entries)
  if (entries.length < 3 || status !== 200) return yield* Effect.die(new Error(`use of three is reported: ${status}`))
})

/** The newest row of a list. */
const newest = Effect.fnUntraced(function* (world: World, list: string) {
  const { json } = yield* ask(`GET /api/v1/${list}?limit=1`, { token: world.root })
  return json["items"][0].id as string
})

/** Makes the people of a test, and what the tables' rows are run against. */
export const make = Effect.gen(function* () {
  const root = yield* Server.signedIn
  const operator = yield* person(root, "operator")
  const other = yield* person(root, "operator")
  const superuser = yield* person(root, "superuser")
  const node = (yield* created(root, "nodes", { description: `node ${next()}` }))["id"] as string
  const key = (yield* created(root, `nodes/${node}/tokens`))["key"] as string
  const inbound = (yield* created(root, "inbounds", inboundDraft(node)))["id"] as string
  const ownerOf = { own: operator.id, others: other.id, unowned: null } as const
  const subscription = Effect.fnUntraced(function* (whose: Whose) {
    const fields = { title: `${word} ${whose} ${next()}`, expires_at: "2090-01-01T00:00:00Z" }
    const body = { owner_id: ownerOf[whose], ...fields, inbound_ids: [inbound] }
    return (yield* created(root, "subscriptions", body))["id"] as string
  })
  const kept = {
    own: yield* subscription("own"),
    others: yield* subscription("others"),
    unowned: yield* subscription("unowned")
  }
  yield* reportUse(key)
  return { root, operator, other, superuser, node, key, inbound, ownerOf, subscription, kept }
})

export type World = Effect.Success<typeof make>

/** Another operator, who owns nothing; its id. */
export const bystander = (world: World) => Effect.map(person(world.root, "operator"), ({ id }) => id)

/** The same world, whose people have signed in again. */
export const signedInAnew = Effect.fnUntraced(function* (world: World) {
  const again = Effect.fnUntraced(function* (person: Person) {
    const { token } = yield* created(world.root, "session", { username: person.username, password })
    return { ...person, token: token as string }
  })
  const { operator, other, superuser } = world
  return { ...world, operator: yield* again(operator), other: yield* again(other), superuser: yield* again(superuser) }
})

/** An inbound of a node, on a port that is free. */
export function inboundDraft(node: string) {
  return {
    node_id: node,
    host: "vpn.example.com",
    port: 10_000 + Number(next()),
    settings: { protocol: "shadowsocks" }
  }
}

/** Makes a thing of each noun that a path can name, and answers its id. */
export const things = {
  subscriptions: (world: World, whose: Whose) => world.subscription(whose),
  users: (world: World, whose: Whose) =>
    whose === "unowned"
      ? Effect.map(person(world.root, "superuser"), ({ id }) => id)
      : Effect.succeed(world.ownerOf[whose]!),
  sessions: Effect.fnUntraced(function* (world: World, whose: Whose) {
    const { id, username } = { own: world.operator, others: world.other, unowned: world.superuser }[whose]
    yield* created(world.root, "session", { username, password })
    const { json } = yield* ask(`GET /api/v1/sessions?user_id=${id}&limit=200`, { token: world.root })
    return (json["items"] as ReadonlyArray<{ id: string }>).at(-1)!.id
  }),
  groups: (world: World) => made(world, "groups", { name: `group ${next()}` }),
  nodes: (world: World) => made(world, "nodes", {}),
  "node-tokens": (world: World) => made(world, `nodes/${world.node}/tokens`),
  inbounds: (world: World) => made(world, "inbounds", inboundDraft(world.node)),
  quarantine: (world: World) => {
    const strange = { credential: 2 ** 31 - 1, inbound: 1, bytes_up: 1, bytes_down: 1 }
    return Effect.andThen(reported(world.key, Number(next()), [strange]), newest(world, "quarantine"))
  },
  "report-conflicts": Effect.fnUntraced(function* (world: World) {
    const seq = Number(next())
    for (const bytes of [1, 2])
      yield* reported(world.key, seq, [{ credential: 1, inbound: 1, bytes_up: bytes, bytes_down: 1 }])
    return yield* newest(world, "report-conflicts")
  })
} as const

const made = (world: World, path: string, body?: unknown) =>
  Effect.map(created(world.root, path, body), ({ id }) => id as string)

/** The nouns whose things belong to an operator; of the others there are no "another's" and "nobody's". */
export const owned: ReadonlySet<string> = new Set(["subscriptions", "users", "sessions"])
