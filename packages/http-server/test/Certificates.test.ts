import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Server from "./Server.ts"

const { ask } = Server

const certificate = `-----BEGIN CERTIFICATE-----
MIIBkjCCATigAwIBAgIUaE3uiWpnozcnYv+phbLQcPCWtSQwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIaHkyLnRlc3QwIBcNMjYxMTIyMDQxMTI5WhgPMjEyNjEwMjkw
NDExMjlaMBMxETAPBgNVBAMMCGh5Mi50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE2YKGwE/uvH2WLrbOVfEbyGpEnP+6xnNxyhkWABWf9XTdc39brLaAG8Ti
u2v5joJc/3R/kl/rk25kSBgw2EH/fKNoMGYwHQYDVR0OBBYEFP+eGyYUiAq7VrBb
QJsiHX5wYugNMB8GA1UdIwQYMBaAFP+eGyYUiAq7VrBbQJsiHX5wYugNMA8GA1Ud
EwEB/wQFMAMBAf8wEwYDVR0RBAwwCoIIaHkyLnRlc3QwCgYIKoZIzj0EAwIDSAAw
RQIhAI5+PjqirI5i9gdjyssKY2Wj4w9QX3l7aNVBD0wOwc0YAiAueyh+WkMaLQN4
gMXKnTilEHnUcvmuJK+2TQVAzN65Wg==
-----END CERTIFICATE-----
`

layer(Server.layer({ local: false }), { excludeTestServices: true })("The certificate of a node", (it) => {
  it.effect("goes into configs, unless it is none: sing-box would end over it", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const node = yield* ask("POST /api/v1/nodes", { token, body: {} })
      const { json: key } = yield* ask(`POST /api/v1/nodes/${node.json["id"]}/tokens`, { token })
      const settings = { protocol: "hysteria2", server_name: "hy2.test" }
      const entry = { node_id: node.json["id"], host: "vpn.example.org", port: 443, settings }
      const inbound = yield* ask("POST /api/v1/inbounds", { token, body: entry })
      const body = { inbound_ids: [inbound.json["id"]] }
      const made = yield* ask("POST /api/v1/subscriptions", { token, body })
      const agent = { token: key["key"] as string, headers: { "vpnmgr-protocol": "1.0" } }
      const state = yield* ask("GET /node/v1/state", agent)
      const [{ ref }] = state.json["inbounds"]
      const said = (pem: string) =>
        ask("POST /node/v1/applied", {
          ...agent,
          body: {
            generation: "g",
            revision: 1,
            outcome: "applied",
            detail: null,
            certificates: [{ inbound: ref, pem }],
            agent_version: "test",
            plane_version: null
          }
        })
      const config = Effect.map(ask(`GET ${made.json["config_path"]}`), ({ text }) => text)
      const none = yield* said("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
      assert.deepStrictEqual([none.status, none.json["errors"][0].field], [400, "certificates.0.pem"])
      assert.include(yield* config, "no server yet")
      assert.strictEqual((yield* said(certificate)).status, 204)
      yield* Effect.sleep(700)
      assert.include(yield* config, "MIIBkjCCATigAwIBAgIUaE3uiWpnozcnYv")
    })
  )
})
