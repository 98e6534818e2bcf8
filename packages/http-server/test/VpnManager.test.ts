/** The models that seed vpn-manager names, field by field, as the API shows them; `docs/guide/vpn-manager.md` points here. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as World from "./permissions/World.ts"
import * as Server from "./Server.ts"

const { ask } = Server

const uuid7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

type Check = (value: unknown, field: string) => void

const id: Check = (value, field) => assert.match(String(value), uuid7, field)
const text: Check = (value, field) => assert.isString(value, field)
const flag: Check = (value, field) => assert.isBoolean(value, field)
const bytes: Check = (value, field) => assert.isTrue(Number.isSafeInteger(value), field)
const instant: Check = (value, field) => {
  assert.match(String(value), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, field)
  assert.strictEqual(new Date(String(value)).toISOString(), value, field)
}
const none: Check = (value, field) => assert.isNull(value, field)
const is =
  (expected: unknown): Check =>
  (value, field) =>
    assert.deepStrictEqual(value, expected, field)

const has = (value: Record<string, unknown>, fields: Readonly<Record<string, Check>>) => {
  for (const [field, check] of Object.entries(fields)) {
    assert.property(value, field)
    check(value[field], field)
  }
}

const limits = { max_traffic: 10_000_000_000, max_speed: 50_000_000, traffic_reset_period: "P30D" }
const unlimited = { max_traffic: none, max_speed: none, traffic_reset_period: none }
const limited = {
  max_traffic: is(limits.max_traffic),
  max_speed: is(limits.max_speed),
  traffic_reset_period: is("P30D")
}

layer(Server.layer({ local: false }), { excludeTestServices: true })("What vpn-manager names", (it) => {
  const got = Effect.fnUntraced(function* (token: string, path: string) {
    const answered = yield* ask(`GET /api/v1/${path}`, { token })
    assert.strictEqual(answered.status, 200, `${path}: ${answered.text}`)
    return answered.json
  })

  it.effect("a user has an id, a name, a role and groups, and its password's hash is shown to nobody", () =>
    Effect.gen(function* () {
      const { operator, root } = yield* World.make
      const { id: group } = yield* World.created(root, "groups", { name: "Some" })
      yield* ask(`PUT /api/v1/users/${operator.id}/groups`, { token: root, body: { group_ids: [group] } })
      const user = yield* got(root, `users/${operator.id}`)
      has(user, { id, username: is(operator.username), role: is("operator"), group_ids: is([group]) })
      assert.notMatch(JSON.stringify(user), /hash|argon2/)
    })
  )

  it.effect("a group has three limits, and null is no restriction", () =>
    Effect.gen(function* () {
      const { root } = yield* World.make
      const made = yield* World.created(root, "groups", { name: "Thirty days", ...limits })
      has(yield* got(root, `groups/${made["id"]}`), { id, name: is("Thirty days"), ...limited })
      has(yield* World.created(root, "groups", { name: "Free" }), unlimited)
    })
  )

  it.effect("of several groups the greatest of each field holds, and null is greater than all", () =>
    Effect.gen(function* () {
      const { operator, root } = yield* World.make
      const group = (fields: object) =>
        Effect.map(World.created(root, "groups", { name: crypto.randomUUID(), ...fields }), (made) => made["id"])
      const small = yield* group({ max_traffic: 10, max_speed: 30, traffic_reset_period: "P1M" })
      const large = yield* group({ max_traffic: 20, max_speed: 10, traffic_reset_period: "P30D" })
      const put = (...ids: ReadonlyArray<unknown>) =>
        ask(`PUT /api/v1/users/${operator.id}/groups`, { token: root, body: { group_ids: ids } })
      const both = (yield* put(small, large)).json["allowance"]
      has(both, { max_traffic: is(20), max_speed: is(30), traffic_reset_period: is("P1M") })
      assert.deepStrictEqual(both.from, { max_traffic: large, max_speed: small, traffic_reset_period: small })
      const free = yield* group({})
      has((yield* put(small, free)).json["allowance"], unlimited)
    })
  )

  it.effect("a subscription has texts, an expiry, limits, two flags and its inbounds", () =>
    Effect.gen(function* () {
      const { inbound, root } = yield* World.make
      const expires = "2040-01-31T00:00:00.000Z"
      const draft = {
        title: "Phone",
        description: "of a friend",
        expires_at: expires,
        ...limits,
        inbound_ids: [inbound]
      }
      const made = yield* World.created(root, "subscriptions", draft)
      has(yield* got(root, `subscriptions/${made["id"]}`), {
        id,
        title: is("Phone"),
        description: is("of a friend"),
        expires_at: is(expires),
        ...limited,
        is_suspended: is(false),
        is_over_limit: is(false),
        inbound_ids: is([inbound])
      })
      const bare = yield* World.created(root, "subscriptions", {})
      has(bare, { title: none, description: none, expires_at: none, ...unlimited, inbound_ids: is([]) })
    })
  )

  it.effect("a node has three texts, and is active while it reports", () =>
    Effect.gen(function* () {
      const { node, root } = yield* World.make
      const texts = { description: "in a rack", geo: "NL", purpose: "streaming" }
      const made = yield* World.created(root, "nodes", texts)
      has(yield* got(root, `nodes/${made["id"]}`), { id, description: is("in a rack"), geo: is("NL"), purpose: text })
      assert.isFalse((yield* got(root, `nodes/${made["id"]}`))["health"].is_active)
      assert.isTrue((yield* got(root, `nodes/${node}`))["health"].is_active)
      has(yield* World.created(root, "nodes", {}), { description: none, geo: none, purpose: none })
    })
  )

  it.effect("a node token has a key of 32 characters, shown once, and is good until it is revoked", () =>
    Effect.gen(function* () {
      const { key, node, root } = yield* World.make
      const headers = { "vpnmgr-protocol": "1.0" }
      const poll = Effect.map(ask("GET /node/v1/state", { token: key, headers }), ({ status }) => status)
      const [token] = (yield* got(root, `nodes/${node}/tokens`))["items"]
      assert.strictEqual(key.length, 32)
      has(token, { id, revoked_at: none })
      assert.notProperty(token, "key")
      assert.notMatch(JSON.stringify(token), /expires/)
      assert.strictEqual(yield* poll, 200)
      const revoked = yield* ask(`POST /api/v1/node-tokens/${token.id}/revoke`, { token: root })
      has(revoked.json, { id, revoked_at: instant })
      assert.strictEqual(yield* poll, 401)
    })
  )

  it.effect("an inbound has a place, a protocol, texts, and says whether it is in configs", () =>
    Effect.gen(function* () {
      const { node, root } = yield* World.make
      const draft = { ...World.inboundDraft(node), geo: "NL", purpose: "home" }
      const made = yield* World.created(root, "inbounds", draft)
      has(yield* got(root, `inbounds/${made["id"]}`), {
        id,
        host: is(draft.host),
        port: is(draft.port),
        protocol: is("shadowsocks"),
        network: is("tcp,udp"),
        tls: is(false),
        geo: is("NL"),
        purpose: is("home"),
        is_active: is(true),
        node_id: is(node)
      })
    })
  )

  it.effect("an inbound that is not active is in no config", () =>
    Effect.gen(function* () {
      const { inbound, kept, root } = yield* World.make
      const path = (yield* got(root, `subscriptions/${kept.own}`))["config_path"]
      assert.include((yield* ask(`GET ${path}`)).text, "vpn.example.com")
      yield* ask(`PATCH /api/v1/inbounds/${inbound}`, { token: root, body: { is_active: false } })
      assert.notInclude((yield* ask(`GET ${path}`)).text, "vpn.example.com")
    })
  )

  it.effect("a traffic report says whose bytes, both ways, where and when", () =>
    Effect.gen(function* () {
      const { inbound, kept, node, root } = yield* World.make
      const [report] = (yield* got(root, `traffic-reports?subscription_id=${kept.own}`))["items"]
      has(report, {
        subscription_id: is(kept.own),
        inbound_id: is(inbound),
        node_id: is(node),
        bytes_up: is(1),
        bytes_down: is(1),
        timestamp: instant
      })
    })
  )

  it.effect("an access log entry names token and place, and nothing of an address or a device", () =>
    Effect.gen(function* () {
      const { inbound, kept, node, root } = yield* World.make
      const [entry] = (yield* got(root, `access-log?subscription_id=${kept.own}`))["items"]
      has(entry, {
        id,
        timestamp: instant,
        subscription_id: is(kept.own),
        inbound_id: is(inbound),
        node_id: is(node),
        bytes_up: bytes,
        bytes_down: bytes,
        auth_token_id: id,
        note: none
      })
      assert.notMatch(JSON.stringify(entry), /address|device|agent|\d+\.\d+\.\d+\.\d+/)
    })
  )

  it.effect("an audit record names who did what to what, and is shown to superusers alone", () =>
    Effect.gen(function* () {
      const { kept, operator, root } = yield* World.make
      yield* ask(`POST /api/v1/subscriptions/${kept.own}/suspend`, { token: operator.token })
      const [record] = (yield* got(root, `audit?target_id=${kept.own}`))["items"]
      has(record, {
        id,
        timestamp: instant,
        actor_id: is(operator.id),
        action: is("subscription.suspend"),
        target_type: is("subscription"),
        target_id: is(kept.own)
      })
      assert.deepStrictEqual(record.meta.is_suspended, { before: false, after: true })
      assert.strictEqual((yield* ask("GET /api/v1/audit", { token: operator.token })).status, 403)
    })
  )

  it.effect("a config is sing-box JSON, 403 while suspended, and a stub while over limit", () =>
    Effect.gen(function* () {
      const { kept, operator, root } = yield* World.make
      const { config_path } = yield* got(root, `subscriptions/${kept.own}`)
      const fetched = yield* ask(`GET ${config_path}`)
      assert.deepStrictEqual(fetched.headers.get("content-type"), "application/json")
      has(fetched.json, { outbounds: (value) => assert.isNotEmpty(value) })
      yield* ask(`POST /api/v1/subscriptions/${kept.own}/suspend`, { token: operator.token })
      assert.strictEqual((yield* ask(`GET ${config_path}`)).status, 403)
      yield* ask(`POST /api/v1/subscriptions/${kept.own}/resume`, { token: operator.token })
      yield* ask(`PATCH /api/v1/subscriptions/${kept.own}`, { token: root, body: { max_traffic: 1 } })
      has(yield* got(root, `subscriptions/${kept.own}`), { is_over_limit: is(true), is_suspended: flag })
      const stub = yield* ask(`GET ${config_path}`)
      assert.strictEqual(stub.status, 200)
      assert.notInclude(stub.text, "vpn.example.com")
    })
  )
})
