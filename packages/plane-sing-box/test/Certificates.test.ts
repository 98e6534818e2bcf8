import type { Inbound } from "@vpnmgr/core"
import { Effect } from "effect"
import { X509Certificate } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Certificates from "../src/internal/Certificates.ts"

const year = 365 * 86_400_000
const now = Date.UTC(2026, 0, 1)

const inbound = (serverName: string, isActive = true): Inbound.NodeInbound => ({
  ref: 3,
  id: "00000000-0000-7000-8000-000000000003",
  listen: "::",
  port: 443,
  isActive,
  trafficMultiplier: 1000,
  settings: { protocol: "hysteria2", obfsPassword: null, tls: { mode: "agent", serverName } }
})

describe("Certificates", () => {
  let directory = ""
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "certificates-"))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const ensure = (serverName: string, at: number = now) =>
    Effect.runPromise(Certificates.ensure(directory, [inbound(serverName)], at)).then(([certificate]) => certificate!)

  it("are ECDSA P-256, for one name or address, and no authority", async () => {
    for (const name of ["vpn.test", "203.0.113.10", "2001:db8::1"]) {
      const certificate = new X509Certificate((await ensure(name)).pem)
      assert.strictEqual(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1")
      assert.isTrue(certificate.verify(certificate.publicKey))
      assert.isFalse(certificate.ca)
      assert.strictEqual(name.includes("vpn") ? certificate.checkHost(name) : certificate.checkIP(name), name)
    }
  })

  it("are kept while the name stays, and are made anew for another, near their end, and for a lost key", async () => {
    const first = await ensure("vpn.test")
    assert.strictEqual((await ensure("vpn.test", now + 9 * year)).pem, first.pem)
    const late = await ensure("vpn.test", now + 10 * year)
    assert.notStrictEqual(late.pem, first.pem)
    const other = await ensure("other.test", now + 10 * year)
    assert.notStrictEqual(other.pem, late.pem)
    writeFileSync(other.files.keyPath, "")
    assert.notStrictEqual((await ensure("other.test", now + 10 * year)).pem, other.pem)
  })

  it("have a key that only its owner reads", async () => {
    const { files } = await ensure("vpn.test")
    assert.strictEqual(statSync(files.keyPath).mode & 0o777, 0o600)
    assert.include(readFileSync(files.keyPath, "utf8"), "PRIVATE KEY")
  })

  it("are not made for an inbound that is not active", async () => {
    assert.deepStrictEqual(
      await Effect.runPromise(Certificates.ensure(directory, [inbound("vpn.test", false)], now)),
      []
    )
  })
})
