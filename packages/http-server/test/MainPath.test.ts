import { assert, layer } from "@effect/vitest"
import { gzipSync } from "node:zlib"
import { Clock, Effect, Fiber } from "effect"
import * as Server from "./Server.ts"

const { ask } = Server

const protocol = { "vpnmgr-protocol": "1.0" }
const spool = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"

layer(Server.layer({ local: false }), { excludeTestServices: true })("The main path over HTTP", (it) => {
  it.effect(
    "leads from an empty store to a cut and back",
    () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        const group = yield* ask("POST /api/v1/groups", { token, body: { name: "Free", max_traffic: 5_000_000 } })
        assert.strictEqual(group.status, 201)
        const created = yield* ask("POST /api/v1/nodes", { token, body: { geo: "NL" } })
        assert.strictEqual(created.status, 201)
        const node = created.json["id"] as string
        const issued = yield* ask(`POST /api/v1/nodes/${node}/tokens`, { token })
        const key = issued.json["key"] as string
        assert.match(key, /^[A-Za-z0-9_-]{32}$/)
        const agent = { token: key, headers: protocol }

        const inbound = yield* ask("POST /api/v1/inbounds", {
          token,
          body: {
            node_id: node,
            host: "vpn.example.com",
            port: 443,
            settings: { protocol: "vless", server_name: "www.example.com" }
          }
        })
        assert.strictEqual(inbound.status, 201)
        assert.notInclude(inbound.text, "private")

        const whole = yield* ask("GET /node/v1/state?wait=5", agent)
        assert.strictEqual(whole.status, 200)
        assert.isNull(whole.json["since"])
        const { generation } = whole.json
        const [{ ref: inboundRef }] = whole.json["inbounds"]

        yield* Effect.sleep("300 millis")
        const settled = yield* ask("GET /node/v1/state", agent)
        const have = `generation=${generation}&revision=${settled.json["revision"]}`
        const waiting = yield* Effect.forkChild(Effect.timed(ask(`GET /node/v1/state?${have}&wait=10`, agent)))
        yield* Effect.sleep("300 millis")
        const subscription = yield* ask("POST /api/v1/subscriptions", {
          token,
          body: { title: "Grüße", max_traffic: "1000000", inbound_ids: [inbound.json["id"]] }
        })
        const committed = yield* Clock.currentTimeMillis
        assert.strictEqual(subscription.status, 201, subscription.text)
        assert.deepStrictEqual(subscription.json["pending_node_ids"], [node])
        const [, difference] = yield* Fiber.join(waiting)
        assert.isBelow((yield* Clock.currentTimeMillis) - committed, 300)
        assert.strictEqual(difference.status, 200)
        assert.strictEqual(difference.json["since"], settled.json["revision"])
        const { ref: credential } = difference.json["credentials"].find(
          ({ open }: { open: Array<number> }) => open.length > 0
        )

        const link = subscription.json["config_path"] as string
        const id = subscription.json["id"] as string
        const config = yield* ask(`GET ${link}`)
        assert.strictEqual(config.status, 200)
        assert.include(config.text, "vpn.example.com")

        const now = Date.now()
        const report = (seq: number, bytesDown: number) => ({
          batch: {
            spool,
            seq,
            from: new Date(now - 2000).toISOString(),
            to: new Date(now).toISOString(),
            entries: [{ credential, inbound: inboundRef, bytes_up: 1000, bytes_down: bytesDown }]
          },
          sent_at: new Date(now).toISOString(),
          lowest: 1,
          agent_version: "test",
          plane_version: null
        })
        const first = yield* ask("POST /node/v1/reports", { ...agent, body: report(1, 2000) })
        assert.deepStrictEqual([first.status, first.json], [200, { spool, seq: 1 }])
        const used = yield* ask(`GET /api/v1/subscriptions/${id}`, { token })
        assert.strictEqual(used.json["used_bytes"], 3000)

        const replay = yield* ask("POST /node/v1/reports", { ...agent, body: report(1, 2000) })
        assert.deepStrictEqual([replay.status, replay.json], [200, first.json])
        const conflict = yield* ask("POST /node/v1/reports", { ...agent, body: report(1, 2001) })
        assert.deepStrictEqual([conflict.status, conflict.json["code"]], [409, "batch_conflict"])

        const packed = gzipSync(JSON.stringify(report(2, 1_000_000)))
        const second = yield* ask("POST /node/v1/reports", {
          token: key,
          headers: { ...protocol, "content-encoding": "gzip" },
          body: packed
        })
        assert.strictEqual(second.status, 200)
        const over = yield* ask(`GET /api/v1/subscriptions/${id}`, { token })
        assert.deepStrictEqual(
          [over.json["state"], over.json["is_over_limit"], over.json["over_limit_until"], over.json["used_bytes"]],
          ["over_limit", true, null, 1_004_000]
        )
        const stub = yield* ask(`GET ${link}`)
        assert.strictEqual(stub.status, 200)
        assert.notInclude(stub.text, "vpn.example.com")
        assert.notStrictEqual(stub.headers.get("etag"), config.headers.get("etag"))

        const usage = yield* ask(`GET /api/v1/subscriptions/${id}/usage`, { token })
        const total = usage.json["items"].reduce(
          (sum: number, item: { used_bytes: number }) => sum + item.used_bytes,
          0
        )
        assert.strictEqual(total, 1_004_000)

        yield* Effect.sleep("1100 millis")
        const reset = yield* ask(`POST /api/v1/subscriptions/${id}/reset`, { token })
        assert.deepStrictEqual([reset.json["state"], reset.json["used_bytes"]], ["active", 0])
        assert.include((yield* ask(`GET ${link}`)).text, "vpn.example.com")

        yield* ask(`POST /api/v1/subscriptions/${id}/suspend`, { token })
        const suspended = yield* ask(`GET ${link}`)
        assert.deepStrictEqual([suspended.status, suspended.json["code"]], [403, "suspended"])
        yield* ask(`POST /api/v1/subscriptions/${id}/resume`, { token })

        const rotated = yield* ask(`POST /api/v1/subscriptions/${id}/rotate`, { token })
        assert.strictEqual((yield* ask(`GET ${link}`)).status, 404)
        assert.strictEqual((yield* ask(`GET ${rotated.json["config_path"]}`)).status, 200)

        const applied = yield* ask("POST /node/v1/applied", {
          ...agent,
          body: {
            generation,
            revision: difference.json["revision"],
            outcome: "applied",
            detail: null,
            certificates: [],
            agent_version: "test",
            plane_version: null
          }
        })
        assert.strictEqual(applied.status, 204)
        const health = yield* ask(`GET /api/v1/nodes/${node}`, { token })
        assert.deepStrictEqual(
          [health.json["health"].is_active, health.json["health"].served_revision],
          [true, difference.json["revision"]]
        )

        const audit = yield* ask("GET /api/v1/audit?limit=2", { token })
        assert.strictEqual(audit.json["items"].length, 2)
        const rest = yield* ask(`GET /api/v1/audit?limit=2&cursor=${audit.json["next_cursor"]}`, { token })
        assert.notStrictEqual(rest.json["items"][0].id, audit.json["items"][0].id)

        const gone = yield* ask(`DELETE /api/v1/subscriptions/${id}`, { token })
        assert.strictEqual(gone.status, 204)
        assert.strictEqual((yield* ask(`GET ${rotated.json["config_path"]}`)).status, 404)
      }),
    30_000
  )
})
