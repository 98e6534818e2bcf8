/**
 * Reads `docs/guide/vpn-manager.md`: every field of the models and every rule has a row, every row names tests, and every
 * test that is named is in the file that is named.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

const root = new URL("../../../", import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), "utf8")

const models = {
  User: ["id", "username", "password_hash", "role", "groups"],
  Group: ["max_traffic", "max_speed", "traffic_reset_period"],
  Subscription: [
    "id",
    "title",
    "description",
    "expires_at",
    "max_traffic",
    "max_speed",
    "traffic_reset_period",
    "is_suspended",
    "is_over_limit",
    "inbounds"
  ],
  Node: ["id", "description", "geo", "purpose", "inbounds"],
  NodeToken: ["id", "key", "revoked_at"],
  Inbound: ["id", "host", "port", "protocol", "network", "tls", "geo", "purpose", "is_active", "node"],
  TrafficReport: ["subscription_id", "inbound_id", "node_id", "bytes_up", "bytes_down", "timestamp"],
  AccessLog: [
    "id",
    "timestamp",
    "subscription_id",
    "inbound_id",
    "node_id",
    "bytes_up",
    "bytes_down",
    "auth_token_id",
    "note"
  ],
  AuditLog: ["id", "timestamp", "actor_id", "action", "target_type", "target_id", "meta"]
} as const

const rules = [
  "null is no restriction",
  "several groups: the maximum per field",
  "suspended: no config, 403",
  "over limit: empty or limited config",
  "reset period: usage starts anew by itself",
  "active while statistics come",
  "tokens have no end but revocation",
  "traffic is accounted for",
  "no address, no device",
  "audit is for superusers",
  "the config's address",
  "sing-box JSON only",
  "suspended is 403",
  "over limit is a stub",
  "configs come from a template and a typed model",
  "a REST API for administration",
  "data is collected from nodes"
]

const expected = [
  ...Object.entries(models).flatMap(([model, fields]) => fields.map((field) => `${model}.${field}`)),
  ...rules
]

interface Row {
  readonly name: string
  readonly ours: string
  readonly proof: string
}

const parse = (page: string): ReadonlyArray<Row> =>
  page
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| field or rule"))
    .map((line) => {
      const [name = "", ours = "", proof = ""] = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim())
      return { name, ours, proof }
    })

/** `path "name"`, as a row names them. */
const named = (proof: string) =>
  [...proof.matchAll(/`([^`]+)` "([^"]+)"/g)].map(([, path, name]) => ({ path: path!, name: name! }))

/** True when the file has a test or a step of a run with exactly this name, which is not skipped. */
const has = (source: string, name: string) => {
  const quoted = name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
  return new RegExp(`(?<!skip)(?<!todo)\\((?:\\s*)["\x60]${quoted}["\x60]`).test(source)
}

const rows = parse(read("docs/guide/vpn-manager.md"))

describe("What vpn-manager asked for", () => {
  it("has a row for every field and rule, and no other", () => {
    assert.deepStrictEqual(rows.map(({ name }) => name).sort(), [...expected].sort())
    for (const { name, ours } of rows) assert.isNotEmpty(ours, name)
  })

  it("names tests that are there", () => {
    for (const { name, proof } of rows) {
      const tests = named(proof)
      assert.isNotEmpty(tests, name)
      for (const test of tests)
        assert.isTrue(has(read(`packages/${test.path}`), test.name), `${test.path}: ${test.name}`)
    }
  })

  it("would miss a test that is not there, or is skipped", () => {
    const source = 'it.effect(\n  "counts", () => {})\nit.skip("sleeps", () => {})'
    assert.isTrue(has(source, "counts"))
    assert.isFalse(has(source, "count"))
    assert.isFalse(has(source, "sleeps"))
  })
})
