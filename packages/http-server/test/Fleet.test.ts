/** Nodes, tokens and inbounds through the typed client: what they answer, what they refuse, and what they leave behind. */
import { assert, layer } from "@effect/vitest"
import { Client } from "@vpnmgr/api"
import { Effect, Fiber, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Server from "./Server.ts"

const superuser = Effect.gen(function* () {
  const token = Redacted.make(yield* Server.signedIn)
  return yield* Client.make({ baseUrl: yield* Server.baseUrl, token })
}).pipe(Effect.provide(FetchHttpClient.layer))

let count = 0

/** An operator with a client of its own. */
const anOperator = Effect.gen(function* () {
  const root = yield* superuser
  const [username, password] = [`operator-${++count}`, "twelve chars and more"]
  const user = yield* root.users.create({ payload: { username, password, role: "operator" } })
  const baseUrl = yield* Server.baseUrl
  const anonymous = yield* Client.make({ baseUrl, token: null })
  const { token } = yield* anonymous.session.signIn({ payload: { username, password } })
  return { user, client: yield* Client.make({ baseUrl, token: Redacted.make(token) }) }
}).pipe(Effect.provide(FetchHttpClient.layer))

/** An agent that signs in with a key. */
const anAgent = (key: string) =>
  Effect.flatMap(Server.baseUrl, (baseUrl) => Client.makeNode({ baseUrl, key: Redacted.make(key) })).pipe(
    Effect.provide(FetchHttpClient.layer)
  )

const shadowsocks = { protocol: "shadowsocks" } as const
const vless = { protocol: "vless", serverName: "www.example.com" } as const
const hysteria2 = { protocol: "hysteria2", serverName: "hy.example.com" } as const

const fieldOf = (problem: unknown) =>
  (problem as { readonly errors?: ReadonlyArray<{ readonly field: string }> }).errors?.[0]?.field

layer(Server.layer({ local: false }), { excludeTestServices: true })("The fleet", (it) => {
  it.effect("lists nodes by place, purpose, activity and text", () =>
    Effect.gen(function* () {
      const { nodes } = yield* superuser
      const geo = "DE-list"
      const one = yield* nodes.create({ payload: { geo, purpose: "exit", description: "Frankfurt one" } })
      const two = yield* nodes.create({ payload: { geo, description: "Berlin" } })
      const ids = (query: Parameters<typeof nodes.list>[0]["query"]) =>
        Effect.map(nodes.list({ query: { geo, ...query } }), ({ items }) => items.map(({ id }) => id))
      assert.deepStrictEqual(yield* ids({}), [one.id, two.id])
      assert.deepStrictEqual(yield* ids({ purpose: "exit" }), [one.id])
      assert.deepStrictEqual(yield* ids({ search: "frank" }), [one.id])
      assert.deepStrictEqual(yield* ids({ active: true }), [])
      assert.deepStrictEqual(yield* ids({ active: false, limit: 1 }), [one.id])
      const { key } = yield* nodes.createToken({ params: { id: two.id } })
      const agent = yield* anAgent(key!)
      const now = Date.now()
      const batch = { spool: two.id, seq: 1, from: now - 1000, to: now, entries: [] }
      yield* agent.reports({ payload: { batch, sentAt: now, lowest: 1, agentVersion: "t", planeVersion: null } })
      assert.deepStrictEqual(yield* ids({ active: true }), [two.id])
      assert.deepStrictEqual(yield* ids({ active: false }), [one.id])
    })
  )

  it.effect("says which filter of a list is wrong", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const table: ReadonlyArray<readonly [query: string, status: number, field?: string]> = [
        ["nodes?active=maybe", 400, "active"],
        ["nodes?search=", 400, "search"],
        ["nodes?state=on", 400, "state"],
        ["nodes?active=true&search=x&geo=DE&purpose=exit", 200],
        ["inbounds?is_active=1", 400, "is_active"],
        ["inbounds?protocol=ftp", 400, "protocol"],
        ["inbounds?node_id=7", 400, "node_id"],
        [`inbounds?search=${"x".repeat(201)}`, 400, "search"],
        ["inbounds?is_active=false&protocol=vless&search=x&geo=DE&purpose=exit", 200]
      ]
      for (const [query, status, field] of table) {
        const answered = yield* Server.ask(`GET /api/v1/${query}`, { token })
        assert.deepStrictEqual([answered.status, fieldOf(answered.json)], [status, field], query)
      }
    })
  )

  it.effect("changes a node, and shows what its agent says", () =>
    Effect.gen(function* () {
      const { nodes, audit } = yield* superuser
      const made = yield* nodes.create({ payload: { description: "old", geo: "NL", linkSpeed: 10n ** 9n } })
      const changed = yield* nodes.change({ params: { id: made.id }, payload: { description: "new", linkSpeed: null } })
      assert.deepInclude(changed, { description: "new", geo: "NL", linkSpeed: null })
      assert.isAbove(changed.updatedAt, made.updatedAt)
      const [record] = (yield* audit.list({ query: { target_id: made.id, limit: 1 } })).items
      assert.strictEqual(record!.action, "node.change")
      assert.deepStrictEqual(record!.meta, {
        description: { before: "old", after: "new" },
        link_speed: { before: "1000000000", after: null }
      })
      const { key } = yield* nodes.createToken({ params: { id: made.id } })
      const agent = yield* anAgent(key!)
      const said = {
        generation: "g",
        revision: 1,
        certificates: [],
        agentVersion: "1.4.0",
        planeVersion: "sing-box 1.12.12"
      }
      yield* agent.applied({ payload: { ...said, outcome: "failed", detail: "no room" } })
      yield* agent.applied({ payload: { ...said, outcome: "applied", detail: null } })
      const { health } = yield* nodes.get({ params: { id: made.id } })
      assert.deepInclude(health, {
        agentVersion: "1.4.0",
        planeVersion: "sing-box 1.12.12",
        protocolVersion: "1.0",
        lastOutcome: "applied",
        lastError: "no room",
        isCloned: false,
        pendingChanges: 0
      })
      assert.isNumber(health.lastErrorAt)
      assert.isAtLeast(health.lastOutcomeAt!, health.lastErrorAt!)
    })
  )

  it.effect("deletes a node once it has no inbounds, and refuses its agent at once", () =>
    Effect.gen(function* () {
      const { nodes, inbounds } = yield* superuser
      const { id } = yield* nodes.create({ payload: {} })
      const token = yield* nodes.createToken({ params: { id } })
      const agent = yield* anAgent(token.key!)
      yield* agent.state({ query: {} })
      const inbound = yield* inbounds.create({
        payload: { nodeId: id, host: "192.0.2.1", port: 1, settings: shadowsocks }
      })
      const refused = yield* Effect.flip(nodes.remove({ params: { id } }))
      assert.strictEqual(refused._tag, "Invalid")
      assert.include(JSON.stringify(refused), "delete them first")
      yield* inbounds.remove({ params: { id: inbound.id } })
      yield* nodes.remove({ params: { id } })
      assert.strictEqual((yield* Effect.flip(nodes.get({ params: { id } })))._tag, "NotFound")
      assert.strictEqual((yield* Effect.flip(nodes.remove({ params: { id } })))._tag, "NotFound")
      assert.strictEqual((yield* Effect.flip(nodes.createToken({ params: { id } })))._tag, "NotFound")
      assert.isNotNull((yield* nodes.getToken({ params: { id: token.id } })).revokedAt)
      assert.strictEqual((yield* Effect.flip(agent.state({ query: {} })))._tag, "Unauthorized")
    })
  )

  it.effect("ends a poll that waits with a key that is revoked, and only that", () =>
    Effect.gen(function* () {
      const { nodes } = yield* superuser
      const { id } = yield* nodes.create({ payload: {} })
      const [one, two] = [yield* nodes.createToken({ params: { id } }), yield* nodes.createToken({ params: { id } })]
      const agents = [yield* anAgent(one.key!), yield* anAgent(two.key!)]
      const state = (yield* agents[0]!.state({ query: {} }))!
      const have = { generation: state.generation, revision: state.revision, wait: 30 }
      const [first, second] = [
        yield* Effect.forkChild(Effect.timed(Effect.flip(agents[0]!.state({ query: have })))),
        yield* Effect.forkChild(agents[1]!.state({ query: have }))
      ]
      yield* Effect.sleep("500 millis")
      const before = Date.now()
      yield* nodes.revokeToken({ params: { id: one.id } })
      const [, refused] = yield* Fiber.join(first)
      assert.strictEqual(refused._tag, "Unauthorized")
      assert.isBelow(Date.now() - before, 1500)
      yield* Effect.sleep("300 millis")
      assert.isUndefined(second.pollUnsafe())
      yield* Fiber.interrupt(second)
      assert.strictEqual((yield* Effect.flip(agents[0]!.state({ query: have })))._tag, "Unauthorized")
      assert.isNull(yield* agents[1]!.state({ query: { ...have, wait: 0 } }))
      assert.isNull((yield* nodes.getToken({ params: { id: two.id } })).revokedAt)
    })
  )

  it.effect("sets a batch of a spool that went back in time aside, and takes it under a new id", () =>
    Effect.gen(function* () {
      const { nodes, audit, reportConflicts } = yield* superuser
      const { id } = yield* nodes.create({ payload: {} })
      const { key } = yield* nodes.createToken({ params: { id } })
      const agent = yield* anAgent(key!)
      const report = (seq: number, lowest: number, spool = id) => {
        const now = Date.now()
        const batch = { spool, seq, from: now - 1000, to: now, entries: [] }
        return agent.reports({ payload: { batch, sentAt: now, lowest, agentVersion: "t", planeVersion: null } })
      }
      yield* report(1, 1)
      yield* report(5, 5)
      assert.strictEqual((yield* Effect.flip(report(3, 3)))._tag, "SpoolRewound")
      const [record] = (yield* audit.list({ query: { target_id: id, limit: 1 } })).items
      assert.deepInclude(record!, { action: "report.rewound", meta: { spool: id, seq: 3 } })
      const { items } = yield* reportConflicts.list({ query: { node_id: id } })
      assert.deepStrictEqual(
        items.map(({ seq, reason }) => [seq, reason]),
        [[3, "rewound"]]
      )
      const renamed = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c99"
      assert.deepStrictEqual(yield* report(3, 3, renamed), { spool: renamed, seq: 3 })
    })
  )

  it.effect("refuses two inbounds that would stand in each other's way on one node", () =>
    Effect.gen(function* () {
      const { nodes, inbounds } = yield* superuser
      const [node, other] = [yield* nodes.create({ payload: {} }), yield* nodes.create({ payload: {} })]
      const make = (settings: typeof shadowsocks | typeof vless | typeof hysteria2, port: number, listen?: string) =>
        inbounds.create({
          payload: { nodeId: node.id, host: "192.0.2.1", port, settings, ...(listen === undefined ? {} : { listen }) }
        })
      yield* make(vless, 443)
      yield* make(hysteria2, 443)
      for (const [settings, listen] of [
        [vless, "192.0.2.1"],
        [shadowsocks, undefined],
        [hysteria2, "0.0.0.0"]
      ] as const) {
        const refused = yield* Effect.flip(make(settings, 443, listen))
        assert.strictEqual(refused._tag, "AlreadyExists")
        assert.strictEqual(fieldOf(refused), "port")
      }
      yield* inbounds.create({ payload: { nodeId: other.id, host: "192.0.2.1", port: 443, settings: vless } })
      yield* make(shadowsocks, 8388, "192.0.2.1")
      const third = yield* make(shadowsocks, 8388, "192.0.2.2")
      const moved = yield* Effect.flip(inbounds.change({ params: { id: third.id }, payload: { listen: "0.0.0.0" } }))
      assert.strictEqual(moved._tag, "AlreadyExists")
      yield* inbounds.change({ params: { id: third.id }, payload: { listen: "192.0.2.3" } })
    })
  )

  it.effect("says which field of an inbound is wrong", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const { nodes } = yield* superuser
      const { id } = yield* nodes.create({ payload: {} })
      const good = {
        node_id: id,
        host: "vpn.example.com",
        port: 443,
        settings: { protocol: "vless", server_name: "a.example" }
      }
      const hy = { protocol: "hysteria2", server_name: "a.example" }
      const table: ReadonlyArray<readonly [body: object, status: number, field: string]> = [
        [{ host: "vpn example" }, 400, "host"],
        [{ host: "192.0.2.300" }, 400, "host"],
        [{ host: "https://vpn.example.com" }, 400, "host"],
        [{ port: 0 }, 400, "port"],
        [{ port: 65_536 }, 400, "port"],
        [{ listen: "localhost" }, 400, "listen"],
        [{ node_id: "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e" }, 422, "node_id"],
        [{ settings: { protocol: "vless", server_name: "192.0.2.1" } }, 400, "settings.server_name"],
        [{ settings: { protocol: "vless" } }, 400, "settings.server_name"],
        [
          { settings: { protocol: "vless", server_name: "a.example", handshake_port: 0 } },
          400,
          "settings.handshake_port"
        ],
        [{ settings: { ...hy, certificate_path: "/a.pem" } }, 422, "settings.key_path"],
        [{ settings: { ...hy, key_path: "/a.key" } }, 422, "settings.certificate_path"],
        [{ settings: { ...hy, certificate_path: "a.pem", key_path: "/a.key" } }, 400, "settings.certificate_path"]
      ]
      for (const [wrong, status, field] of table) {
        const answered = yield* Server.ask("POST /api/v1/inbounds", { token, body: { ...good, ...wrong } })
        assert.deepStrictEqual([answered.status, fieldOf(answered.json)], [status, field], JSON.stringify(wrong))
      }
      const made = yield* Server.ask("POST /api/v1/inbounds", { token, body: good })
      assert.strictEqual(made.status, 201)
      const files = { ...hy, certificate_path: "/a.pem", key_path: "/a.key" }
      const pair = yield* Server.ask("POST /api/v1/inbounds", { token, body: { ...good, port: 444, settings: files } })
      assert.strictEqual(pair.status, 201)
      const patches: ReadonlyArray<readonly [string, object, string]> = [
        [made.json["id"], { key_path: "/a.key", certificate_path: "/a.pem" }, "settings.certificate_path"],
        [made.json["id"], { server_name: "192.0.2.1" }, "settings.server_name"],
        [pair.json["id"], { handshake_port: 443 }, "settings.handshake_port"],
        [pair.json["id"], { key_path: null }, "settings.key_path"]
      ]
      for (const [of, settings, field] of patches) {
        const answered = yield* Server.ask(`PATCH /api/v1/inbounds/${of}`, { token, body: { settings } })
        assert.deepStrictEqual([answered.status, fieldOf(answered.json)], [422, field], JSON.stringify(settings))
      }
    })
  )

  it.effect("changes settings and gives new keys, and says what that means for apps", () =>
    Effect.gen(function* () {
      const { nodes, inbounds, subscriptions, audit } = yield* superuser
      const { id: nodeId } = yield* nodes.create({ payload: {} })
      const made = yield* inbounds.create({ payload: { nodeId, host: "192.0.2.1", port: 443, settings: vless } })
      const { configPath } = yield* subscriptions.create({ payload: { inboundIds: [made.id] } })
      const config = Effect.map(Server.ask(`GET ${configPath}`), ({ text }) => text)
      const params = { id: made.id }
      const named = yield* inbounds.change({ params, payload: { purpose: "exit" } })
      assert.deepStrictEqual(named.warnings, [])
      const handshake = yield* inbounds.change({ params, payload: { settings: { handshakeHost: "192.0.2.80" } } })
      assert.deepStrictEqual(handshake.warnings, [])
      assert.deepInclude(handshake.settings, { serverName: "www.example.com", handshakeHost: "192.0.2.80" })
      const renamed = yield* inbounds.change({ params, payload: { settings: { serverName: "new.example.com" } } })
      assert.strictEqual(renamed.warnings[0]?.code, "configs_outdated")
      assert.include(yield* config, "new.example.com")

      const { key } = yield* nodes.createToken({ params: { id: nodeId } })
      const agent = yield* anAgent(key!)
      yield* Effect.sleep("400 millis")
      const { generation, revision } = (yield* agent.state({ query: {} }))!
      const before = yield* inbounds.get({ params })
      const rotated = yield* inbounds.rotateKeys({ params })
      const told = (yield* agent.state({ query: { generation, revision, wait: 5 } }))!
      assert.deepInclude(told, { since: revision, credentials: [] })
      assert.strictEqual(rotated.warnings[0]?.code, "configs_outdated")
      const [old, now] = [before.settings, rotated.settings]
      if (old.protocol !== "vless" || now.protocol !== "vless") return assert.fail("not vless")
      assert.notStrictEqual(now.publicKey, old.publicKey)
      assert.notStrictEqual(now.shortId, old.shortId)
      assert.strictEqual(now.serverName, "new.example.com")
      const [served] = told.inbounds
      assert.deepInclude(served?.settings, { publicKey: now.publicKey, shortId: now.shortId })
      const text = yield* config
      assert.include(text, now.publicKey)
      assert.notInclude(text, old.publicKey)
      const [record] = (yield* audit.list({ query: { target_id: made.id, limit: 1 } })).items
      assert.strictEqual(record!.action, "inbound.rotate_keys")
      assert.notInclude(JSON.stringify(record), now.publicKey)
      const { health } = yield* nodes.get({ params: { id: nodeId } })
      assert.isAbove(health.pendingChanges, 0)
    })
  )

  it.effect("deletes an inbound and unlinks everybody", () =>
    Effect.gen(function* () {
      const { nodes, inbounds, subscriptions, audit } = yield* superuser
      const { id: nodeId } = yield* nodes.create({ payload: {} })
      const payload = { nodeId, host: "gone.example.com", port: 443, settings: shadowsocks }
      const gone = yield* inbounds.create({ payload })
      const stays = yield* inbounds.create({ payload: { ...payload, host: "stays.example.com", port: 444 } })
      const linked = yield* subscriptions.create({ payload: { inboundIds: [gone.id, stays.id] } })
      yield* inbounds.remove({ params: { id: gone.id } })
      assert.strictEqual((yield* Effect.flip(inbounds.get({ params: { id: gone.id } })))._tag, "NotFound")
      assert.strictEqual((yield* Effect.flip(inbounds.rotateKeys({ params: { id: gone.id } })))._tag, "NotFound")
      const after = yield* subscriptions.get({ params: { id: linked.id } })
      assert.deepStrictEqual(after.inboundIds, [stays.id])
      const relinked = yield* Effect.flip(subscriptions.create({ payload: { inboundIds: [gone.id] } }))
      assert.strictEqual(fieldOf(relinked), "inbound_ids")
      const { text } = yield* Server.ask(`GET ${linked.configPath}`)
      assert.notInclude(text, "gone.example.com")
      assert.include(text, "stays.example.com")
      const [record] = (yield* audit.list({ query: { target_id: gone.id, limit: 1 } })).items
      assert.deepInclude(record!, { action: "inbound.delete" })
      assert.deepInclude(record!.meta, { host: "gone.example.com", unlinked: 1 })
      yield* inbounds.create({ payload })
    })
  )

  it.effect("shows operators the inbounds they may link, and nothing of nodes", () =>
    Effect.gen(function* () {
      const root = yield* superuser
      const { client } = yield* anOperator
      const { id: nodeId } = yield* root.nodes.create({ payload: {} })
      const geo = "operators"
      const files = { certificatePath: "/secret/place.pem", keyPath: "/secret/place.key" }
      const payload = { nodeId, geo, host: "192.0.2.1", settings: { ...hysteria2, ...files } }
      const open = yield* root.inbounds.create({ payload: { ...payload, port: 443 } })
      const shut = yield* root.inbounds.create({ payload: { ...payload, port: 444 } })
      yield* root.inbounds.change({ params: { id: shut.id }, payload: { isActive: false } })
      const list = (query: Parameters<typeof client.inbounds.list>[0]["query"]) =>
        Effect.map(client.inbounds.list({ query: { geo, ...query } }), ({ items }) => items.map(({ id }) => id))
      assert.deepStrictEqual(yield* list({}), [open.id])
      assert.deepStrictEqual(yield* list({ is_active: true, protocol: "hysteria2", node_id: nodeId }), [open.id])
      assert.deepStrictEqual(yield* list({ is_active: false }), [])
      const seen = yield* client.inbounds.get({ params: { id: open.id } })
      assert.notInclude(JSON.stringify(seen), "/secret/place")
      const whole = yield* root.inbounds.get({ params: { id: open.id } })
      assert.include(JSON.stringify(whole), "/secret/place.key")
      assert.strictEqual((yield* Effect.flip(client.inbounds.get({ params: { id: shut.id } })))._tag, "NotFound")
      assert.strictEqual(
        (yield* Effect.flip(client.inbounds.rotateKeys({ params: { id: open.id } })))._tag,
        "Forbidden"
      )
      assert.strictEqual((yield* Effect.flip(client.inbounds.remove({ params: { id: open.id } })))._tag, "Forbidden")
      assert.strictEqual((yield* Effect.flip(client.nodes.get({ params: { id: nodeId } })))._tag, "Forbidden")
      assert.strictEqual(
        (yield* client.subscriptions.create({ payload: { inboundIds: [open.id] } })).inboundIds[0],
        open.id
      )
    })
  )

  it.effect("changes only the version that was read", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const { nodes, inbounds } = yield* superuser
      const node = yield* nodes.create({ payload: {} })
      const payload = { nodeId: node.id, host: "192.0.2.1", port: 443, settings: shadowsocks }
      const { id } = yield* inbounds.create({ payload })
      for (const path of [`nodes/${node.id}`, `inbounds/${id}`]) {
        const read = yield* Server.ask(`GET /api/v1/${path}`, { token })
        const headers = { "if-match": read.headers.get("etag")! }
        const ask = (route: string, body?: object) => Server.ask(route, { token, headers, body })
        const changed = yield* ask(`PATCH /api/v1/${path}`, { geo: "X" })
        assert.strictEqual(changed.status, 200, changed.text)
        assert.strictEqual((yield* ask(`PATCH /api/v1/${path}`, { geo: "Y" })).status, 412)
        assert.strictEqual((yield* ask(`DELETE /api/v1/${path}`)).status, 412)
      }
      const read = yield* Server.ask(`GET /api/v1/inbounds/${id}`, { token })
      const headers = { "if-match": read.headers.get("etag")! }
      const rotate = Server.ask(`POST /api/v1/inbounds/${id}/rotate-keys`, { token, headers })
      assert.strictEqual((yield* rotate).status, 200)
      assert.strictEqual((yield* rotate).status, 412)
    })
  )
})
