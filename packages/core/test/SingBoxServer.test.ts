import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SingBoxServer } from "../src/index.ts"
import { credential, inbounds } from "./SingBoxFixtures.ts"

const options: SingBoxServer.NodeOptions = {
  epoch: "e1",
  stats: "127.0.0.1:19001",
  control: "127.0.0.1:19002",
  secret: "s3cret",
  manyPeerUdp: false,
  certificates: new Map([[3, { certificatePath: "/c.pem", keyPath: "/k.pem" }]])
}

const serving = { inbounds, credentials: [credential(17, 2), credential(18)] }

const selectors = (config: SingBoxServer.ServerConfig) =>
  Object.fromEntries(config.outbounds.flatMap((o) => (o.type === "selector" ? [[o.tag, o.default]] : [])))

describe("SingBoxServer", () => {
  const config = SingBoxServer.render(serving, options)

  it("blocks every pair that is not open", () => {
    assert.deepStrictEqual(selectors(config), {
      "c17.1": "block",
      "c17.2": "c17",
      "c17.3": "block",
      "c18.1": "block",
      "c18.2": "block",
      "c18.3": "block"
    })
  })

  it("fails closed: whoever no rule knows meets a block outbound", () => {
    const final = config.outbounds.find(({ tag }) => tag === config.route.final)
    assert.strictEqual(final?.type, "block")
  })

  it("refuses private and carrier-grade destinations, resolved, before anybody is let in", () => {
    const rules = config.route.rules as ReadonlyArray<Record<string, unknown>>
    const at = (key: string) => rules.findIndex((rule) => key in rule)
    const resolve = rules.findIndex((rule) => rule.action === "resolve")
    assert.isTrue(resolve >= 0 && resolve < at("ip_is_private") && at("ip_is_private") < at("auth_user"))
    assert.isTrue(resolve < at("ip_cidr") && at("ip_cidr") < at("auth_user"))
    assert.deepStrictEqual(rules[at("ip_cidr")]?.ip_cidr, ["100.64.0.0/10"])
    assert.strictEqual(config.route.default_domain_resolver, "local")
  })

  it("binds UDP to its first peer, which is the only one the rules see, unless told otherwise", () => {
    const connects = (config: SingBoxServer.ServerConfig) => JSON.stringify(config.route).includes("udp_connect")
    assert.isTrue(connects(config))
    assert.isFalse(connects(SingBoxServer.render(serving, { ...options, manyPeerUdp: true })))
  })

  it("writes no log and keeps no choice over a restart", () => {
    assert.deepStrictEqual(config.log, { disabled: true })
    assert.notProperty(config.experimental, "cache_file")
  })

  it("leaves out who cannot be served: inactive, known to nobody, without a certificate", () => {
    const tags = (config: SingBoxServer.ServerConfig) => config.inbounds.map(({ tag }) => tag)
    assert.deepStrictEqual(tags(config), ["in-1", "in-2", "in-3"])
    assert.deepStrictEqual(tags(SingBoxServer.render(serving, { ...options, certificates: new Map() })), [
      "in-1",
      "in-2"
    ])
    assert.deepStrictEqual(tags(SingBoxServer.render({ ...serving, credentials: [] }, options)), [])
    const inactive = { ...serving, inbounds: inbounds.map((i) => ({ ...i, isActive: i.ref !== 2 })) }
    assert.deepStrictEqual(tags(SingBoxServer.render(inactive, options)), ["in-1", "in-3"])
  })

  it("goes back to a former config without going back to whom it let in", () => {
    const former = Schema.decodeUnknownSync(Schema.fromJsonString(SingBoxServer.ServerConfig))(JSON.stringify(config))
    const again = SingBoxServer.rerun(former, new Set(["c18.1"]), { ...options, epoch: "e2" })
    assert.deepStrictEqual(again.inbounds, config.inbounds)
    assert.strictEqual(selectors(again)["c17.2"], "block")
    assert.strictEqual(selectors(again)["c18.1"], "c18")
    assert.deepInclude(again.outbounds, { type: "block", tag: "epoch-e2" })
    assert.notDeepInclude(again.outbounds, { type: "block", tag: "epoch-e1" })
  })

  it("reads back only the names it writes", () => {
    assert.deepStrictEqual(SingBoxServer.parsePair(SingBoxServer.pairName(17, 2)), { credential: 17, inbound: 2 })
    for (const name of ["c17", "17.2", "c17.2.3", "c-1.2", "c17.2 "]) assert.isUndefined(SingBoxServer.parsePair(name))
  })
})
