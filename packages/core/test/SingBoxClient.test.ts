import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { ConfigModel, SingBoxClient, SingBoxConfig } from "../src/index.ts"
import { access, inbound, inbounds, nasty } from "./SingBoxFixtures.ts"

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(SingBoxConfig.SingBoxConfig))
const entries = inbounds.map((inbound) => ({ inbound, access: access(17, inbound) }))

/** What is rendered for an active subscription, and for one that carries nothing. */
const rendered = (profile: Pick<ConfigModel.Profile, "title" | "entries">) =>
  SingBoxClient.render(ConfigModel.of({ ...profile, expiresAt: null, verdict: { state: "active" } }))
const stub = (verdict: ConfigModel.Profile["verdict"]) =>
  SingBoxClient.render(ConfigModel.of({ title: "t", expiresAt: null, verdict, entries }))

describe("SingBoxClient", () => {
  const config = rendered({ title: nasty, entries })

  it("is what the typed model says, whatever was typed", () => {
    assert.deepStrictEqual(decode(JSON.stringify(config)), config)
    assert.notInclude(
      config.outbounds.map(({ tag }) => tag),
      "leak"
    )
  })

  it("keeps tags unique when titles, hosts and reserved words collide", () => {
    const same = [...entries, ...entries].map((entry) => ({
      ...entry,
      inbound: { ...entry.inbound, geo: "auto", purpose: null }
    }))
    for (const title of ["auto", "direct", "auto vless", "", "  "]) {
      const tags = rendered({ title, entries: same }).outbounds.map(({ tag }) => tag)
      assert.strictEqual(new Set(tags).size, tags.length)
    }
  })

  it("pins the certificate that the agent made, and waits for it", () => {
    const hysteria2 = (config: SingBoxConfig.SingBoxConfig) => config.outbounds.find(({ type }) => type === "hysteria2")
    const pinned = (config: SingBoxConfig.SingBoxConfig) => JSON.stringify(hysteria2(config)?.tls)
    assert.include(pinned(config), '"certificate":["-----BEGIN CERTIFICATE-----","')
    const waiting = entries.map((entry) => ({ ...entry, inbound: { ...entry.inbound, certificate: null } }))
    assert.isUndefined(hysteria2(rendered({ title: "t", entries: waiting })))
  })

  it("gives away no private key", () => {
    assert.notInclude(JSON.stringify(config), "aKPvuE3Hq93KFwzixYMaRD_-NGIXvHel3ctClC6FyE0")
  })

  it("says why a stub carries nothing and until when", () => {
    const until = Date.UTC(2026, 1, 1)
    const tags = (verdict: ConfigModel.Profile["verdict"]) => stub(verdict).outbounds.map(({ tag }) => tag)
    const over = (bucket: "subscription" | "owner", until: number) => tags({ state: "over_limit", bucket, until })
    assert.include(over("subscription", until), "over limit until 2026-02-01 00:00 UTC")
    assert.include(over("subscription", until + 5000), "over limit until 2026-02-01 00:00:05 UTC")
    assert.include(over("subscription", Infinity), "over limit")
    assert.include(over("owner", until), "provider over limit until 2026-02-01 00:00 UTC")
    assert.include(over("owner", Infinity), "provider over limit")
    assert.include(tags({ state: "expired", at: until }), "expired on 2026-02-01 00:00 UTC")
    assert.include(
      rendered({ title: "t", entries: [] }).outbounds.map(({ tag }) => tag),
      "no server yet"
    )
  })

  it("has nothing but block outbounds in a stub", () => {
    const types = stub({ state: "expired", at: 0 }).outbounds.map(({ type }) => type)
    assert.sameMembers(types, ["selector", "block"])
  })
})

describe("SingBoxConfig", () => {
  const ss = { type: "shadowsocks", tag: "a", server: "h", server_port: 1, method: "m", password: "p" }
  const base = { inbounds: [], outbounds: [ss], route: { final: "a" } }
  const refuses = (config: unknown, words: string) =>
    assert.throws(() => decode(JSON.stringify(config)), new RegExp(words))

  it("lets options pass that it does not know", () => {
    const config = {
      ...base,
      outbounds: [
        { ...ss, udp_over_tcp: true },
        { type: "tor", tag: "t" }
      ],
      ntp: { enabled: false }
    }
    assert.deepStrictEqual<unknown>(decode(JSON.stringify(config)), config)
  })

  it("refuses references to what is not there, and tags used twice", () => {
    assert.doesNotThrow(() => decode(JSON.stringify(base)))
    refuses({ ...base, route: { final: "b" } }, 'tag "b"')
    refuses({ ...base, outbounds: [ss, ss] }, "tag of its own")
    refuses({ ...base, outbounds: [ss, { type: "selector", tag: "s", outbounds: ["c"] }] }, 'tag "c"')
  })

  it("refuses a known type with a field missing", () => {
    refuses({ ...base, outbounds: [{ ...ss, password: undefined }] }, ".")
    refuses({ ...base, outbounds: [{ type: "vless", tag: "a", ...inbound(1, "vless"), server: "" }] }, ".")
  })
})
