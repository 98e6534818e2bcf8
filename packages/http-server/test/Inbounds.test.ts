/** Inbounds through the typed client: what they answer, what they refuse, and what they mean for apps. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Callers from "./Callers.ts"
import * as Server from "./Server.ts"

const { anAgent, anOperator, fieldOf, hysteria2, shadowsocks, superuser, vless } = Callers

layer(Server.layer({ local: false }), { excludeTestServices: true })("Inbounds", (it) => {
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
})
