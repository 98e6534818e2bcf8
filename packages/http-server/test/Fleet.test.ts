/** Nodes and tokens through the typed client: what they answer, what they refuse, and what they leave behind. */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Callers from "./Callers.ts"
import * as Server from "./Server.ts"

const { anAgent, fieldOf, shadowsocks, superuser } = Callers

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
