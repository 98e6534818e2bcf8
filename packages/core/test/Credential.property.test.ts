import { hkdf } from "@noble/hashes/hkdf.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Credential } from "../src/index.ts"

const secrets = fc.uint8Array({ minLength: Credential.secretLength, maxLength: Credential.secretLength })

/** Base64 of what a library's HKDF derives. */
const expected = (secret: Uint8Array, protocol: string, inboundId: string, length: number) =>
  Buffer.from(
    hkdf(sha256, secret, undefined, new TextEncoder().encode(`vpnmgr/1|${protocol}|${inboundId}`), length)
  ).toString("base64")

describe("Credential", () => {
  it("derives what HKDF-SHA-256 of a library does, in any order of secrets and inbounds", () => {
    fc.assert(
      fc.property(
        fc.array(secrets, { minLength: 1, maxLength: 3 }),
        fc.array(fc.string(), { minLength: 1 }),
        (keys, ids) => {
          const derivers = keys.map(Credential.accessOf)
          for (const id of ids) {
            for (const [index, derive] of derivers.entries()) {
              const access = derive("shadowsocks", id)
              assert.deepStrictEqual(access, {
                protocol: "shadowsocks",
                key: expected(keys[index]!, "shadowsocks", id, 16)
              })
              assert.deepStrictEqual(derive("shadowsocks", id), access)
            }
          }
          const hysteria = Credential.derive(keys[0]!, "hysteria2", ids[0]!)
          const password = expected(keys[0]!, "hysteria2", ids[0]!, 24).replaceAll("+", "-").replaceAll("/", "_")
          assert.deepStrictEqual(hysteria, { protocol: "hysteria2", password })
        }
      )
    )
  })

  it("derives something else for every secret, protocol and inbound", () => {
    const [one, another] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    const found = [
      Credential.derive(one, "vless", "a"),
      Credential.derive(another, "vless", "a"),
      Credential.derive(one, "vless", "b"),
      Credential.derive(one, "shadowsocks", "a"),
      Credential.derive(one, "hysteria2", "a")
    ]
    assert.strictEqual(new Set(found.map((access) => JSON.stringify(access))).size, found.length)
  })
})
