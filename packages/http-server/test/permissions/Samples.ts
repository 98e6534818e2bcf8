/**
 * What to send for each operation, where its path alone does not say. A new operation needs an entry when it has a body,
 * or when it is about somebody's things without naming one in its path.
 */
import { Effect } from "effect"
import type { HttpServer as Listener } from "effect/http"
import { bystander, password, type Whose, word, type World } from "./World.ts"

export interface Given {
  readonly world: World
  readonly whose: Whose
  /** The thing that the path names; empty without one. */
  readonly id: string
  /** The operator who owns it; null for nobody's. */
  readonly ownerId: string | null
  /** Unlike every other. */
  readonly name: string
}

export interface Sample {
  readonly body?: (given: Given) => unknown
  /** Its path, where the thing is not the one named there. */
  readonly path?: (given: Given) => string
  readonly headers?: Readonly<Record<string, string>>
  /** Queries of a list that must show an operator nothing but its own. */
  readonly queries?: (given: Given) => ReadonlyArray<string>
  /** Makes the thing its path names, where one of the world's own does not do. */
  readonly thing?: (world: World, whose: Whose) => Effect.Effect<string, never, Listener.HttpServer>
  /** True when it is about things of operators although its path names none. */
  readonly isOwned?: boolean
  /** Whose ids must be seen by a superuser and, of these, by an operator its own; of subscriptions when absent. */
  readonly kept?: (world: World) => Readonly<Record<Whose, string>>
  /** True when who did it may have to sign in anew. */
  readonly endsSessions?: boolean
}

const protocol = { "vpnmgr-protocol": "1.0" }
const agent = { agent_version: "test", plane_version: null }

/** Queries of records, by somebody else's subscription among them. */
const places = (foreign: string, inbound: string, node: string) => [
  `subscription_id=${foreign}`,
  `inbound_id=${inbound}`,
  `node_id=${node}&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z`
]

const people = ({ operator, other, superuser }: World) => ({
  own: operator.id,
  others: other.id,
  unowned: superuser.id
})

/** One of the operator's own, named in a bulk change beside the thing that a cell is about. */
let beside = ""

export const samples: Readonly<Record<string, Sample>> = {
  "setup.create": { body: ({ name }) => ({ secret: "a guess", username: name, password: "twelve characters" }) },
  "session.signIn": {
    body: ({ world: { operator } }) => ({ username: operator.username, password: operator.password })
  },
  "session.signOut": { endsSessions: true },
  "session.changePassword": {
    endsSessions: true,
    body: () => ({ current_password: password, new_password: password })
  },
  "sessions.list": {
    queries: ({ world }) => Object.values(people(world)).map((id) => `user_id=${id}&limit=200`),
    kept: people
  },
  "sessions.revokeAll": {
    isOwned: true,
    endsSessions: true,
    body: ({ ownerId, world }) => ({ user_id: ownerId ?? world.superuser.id })
  },
  "users.create": {
    body: ({ name }) => ({ username: name, password: "twelve characters", role: "operator" })
  },
  "users.resetPassword": { endsSessions: true, body: () => ({ password }) },
  "users.change": { thing: bystander, body: ({ name }) => ({ username: name }) },
  "users.remove": { thing: bystander },
  "users.setGroups": { body: () => ({ group_ids: [] }) },
  "groups.create": { body: ({ name }) => ({ name }) },
  "groups.change": { body: ({ name }) => ({ name }) },
  "subscriptions.create": { isOwned: true, body: ({ name, ownerId }) => ({ owner_id: ownerId, title: name }) },
  "subscriptions.export": {
    queries: ({ world }) => ["format=csv", `inbound_id=${world.inbound}`, `search=harbour`, "sort=-title"]
  },
  "subscriptions.list": {
    queries: ({ world: { inbound, node, other } }) => [
      `limit=1`,
      `limit=200`,
      `search=${word}&sort=-title`,
      `owner_id=${other.id}`,
      `owner_id=none`,
      `state=active&sort=expires_at`,
      `inbound_id=${inbound}&sort=-created_at`,
      `node_id=${node}`,
      `expires_before=2100-01-01T00:00:00Z`
    ]
  },
  "subscriptions.change": { body: ({ name }) => ({ title: name }) },
  "subscriptions.setInbounds": { body: ({ world }) => ({ inbound_ids: [world.inbound] }) },
  "subscriptions.extend": { body: () => ({ period: "P1D" }) },
  "subscriptions.ofInbound": {
    thing: ({ inbound }) => Effect.succeed(inbound),
    queries: () => [`limit=1`, `search=${word}`, `sort=-title`]
  },
  "subscriptions.linkInbound": {
    isOwned: true,
    thing: Effect.fnUntraced(function* (world, whose) {
      beside = yield* world.subscription("own")
      return yield* world.subscription(whose)
    }),
    path: ({ world }) => `/api/v1/inbounds/${world.inbound}/subscriptions`,
    body: ({ id }) => ({ unlink: [beside, id] })
  },
  "nodes.create": { body: ({ name }) => ({ description: name }) },
  "nodes.change": { body: ({ name }) => ({ description: name }) },
  "inbounds.create": {
    body: ({ name, world }) => ({
      node_id: world.node,
      host: `${name}.example.com`,
      port: 1000 + Number(name.replaceAll(/\D/g, "")),
      settings: { protocol: "shadowsocks" }
    })
  },
  "inbounds.change": { body: () => ({ is_active: false }) },
  "trafficReports.list": {
    queries: ({ world: { kept, inbound, node } }) => ["limit=1", ...places(kept.others, inbound, node)]
  },
  "trafficReports.export": {
    queries: ({ world: { kept, inbound, node } }) => ["format=csv", ...places(kept.others, inbound, node)]
  },
  "accessLog.list": {
    queries: ({ world: { kept, inbound, node } }) => ["limit=1", ...places(kept.others, inbound, node)]
  },
  "accessLog.export": {
    queries: ({ world: { kept, inbound, node } }) => ["format=csv", ...places(kept.others, inbound, node)]
  },
  "quarantine.apply": { body: ({ world }) => ({ subscription_id: world.kept.unowned, inbound_id: world.inbound }) },
  "node.state": { headers: protocol },
  "node.applied": {
    headers: protocol,
    body: () => ({ generation: "none", revision: 1, outcome: "applied", detail: null, certificates: [], ...agent })
  },
  "node.reports": {
    headers: protocol,
    body: ({ name }) => ({
      batch: {
        spool: "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e",
        seq: Number(name.replaceAll(/\D/g, "")),
        from: new Date(Date.now() - 2000).toISOString(),
        to: new Date().toISOString(),
        entries: []
      },
      sent_at: new Date().toISOString(),
      lowest: 1,
      ...agent
    })
  }
}

/** Every query that `own` is asked with. */
export const queriesOf = (sample: Sample, given: Given): ReadonlyArray<string> => [
  "",
  ...(sample.queries?.(given) ?? [])
]
