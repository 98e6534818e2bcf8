import { assert, describe, it } from "@effect/vitest"
import { Host, Inbound, Listen } from "@vpnmgr/core"
import { Result, Schema } from "effect"

describe("Listen.overlaps", () => {
  const table: ReadonlyArray<readonly [string, string, boolean]> = [
    ["::", "::", true],
    ["::", "0.0.0.0", true],
    ["::", "192.0.2.1", true],
    ["::", "2001:db8::1", true],
    ["0.0.0.0", "192.0.2.1", true],
    ["0.0.0.0", "::ffff:192.0.2.1", true],
    ["0.0.0.0", "2001:db8::1", false],
    ["0.0.0.0", "::1", false],
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.1", "192.0.2.2", false],
    ["192.0.2.1", "::ffff:192.0.2.1", true],
    ["192.0.2.1", "::ffff:c000:201", true],
    ["::1", "0:0:0:0:0:0:0:1", true],
    ["2001:db8::1", "2001:DB8:0::0001", true],
    ["2001:db8::1", "2001:db8::2", false]
  ]
  for (const [one, two, expected] of table)
    it(`${one} and ${two}: ${expected ? "in each other's way" : "beside each other"}`, () => {
      assert.strictEqual(Listen.overlaps(one, two), expected)
      assert.strictEqual(Listen.overlaps(two, one), expected)
    })
})

describe("Listen.inTheWay", () => {
  const door = { id: "a", nodeId: "n", port: 443, listen: "::", network: "tcp" }
  const others = (more: Partial<Listen.Door>) => [{ ...door, id: "b", ...more }]

  it("finds another of the same node, port and transport", () => {
    assert.strictEqual(Listen.inTheWay(door, others({}))?.id, "b")
    assert.strictEqual(Listen.inTheWay(door, others({ network: "tcp,udp", listen: "192.0.2.1" }))?.id, "b")
  })

  it("lets tcp and udp, other ports, nodes and addresses be, and the inbound itself", () => {
    const beside = [{ network: "udp" }, { port: 444 }, { nodeId: "m" }, { id: "a" }]
    for (const more of beside) assert.isUndefined(Listen.inTheWay(door, others(more)))
    const one = { ...door, listen: "192.0.2.1" }
    assert.isUndefined(Listen.inTheWay(one, others({ listen: "192.0.2.2" })))
  })
})

describe("What a person may type", () => {
  const accepts = (schema: Schema.Codec<string>) => (text: string) =>
    Result.isSuccess(Schema.decodeUnknownResult(schema)(text))

  it("takes addresses for addresses", () => {
    const isAddress = accepts(Inbound.Address)
    const good = ["0.0.0.0", "::", "::1", "192.0.2.255", "2001:db8::1", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8"]
    for (const text of good) assert.isTrue(isAddress(text), text)
    const bad = ["", "localhost", "192.0.2.256", "1.2.3", "1.2.3.4.5", ":::", "1::2::3", "1:2:3:4:5:6:7:8:9", "g::1"]
    for (const text of [...bad, "1:2:3:4:5:6:7", "[::1]", "::1%eth0", " ::1"]) assert.isFalse(isAddress(text), text)
  })

  it("takes domains for domains, and addresses for hosts only", () => {
    const [isDomain, isHost] = [accepts(Host.Domain), accepts(Host.Host)]
    const label = "a".repeat(63)
    for (const text of ["example.com", "localhost", "xn--e1afmkfd.example", "a_b.example", `${label}.example`]) {
      assert.isTrue(isDomain(text), text)
      assert.isTrue(isHost(text), text)
    }
    for (const text of ["192.0.2.1", "2001:db8::1"]) {
      assert.isFalse(isDomain(text), text)
      assert.isTrue(isHost(text), text)
    }
    const bad = ["", ".", "example.com.", "-a.example", "a-.example", "a b.example", "a..b", "пример.рф", "192.0.2.300"]
    const worse = [
      `a${label}.example`,
      "a.example:443",
      "http://a.example",
      "a/b",
      `${"a.".repeat(127)}aa`,
      '"a"',
      "a\n"
    ]
    for (const text of [...bad, ...worse]) {
      assert.isFalse(isDomain(text), text)
      assert.isFalse(isHost(text), text)
    }
  })

  it("takes absolute paths for files on a node", () => {
    const isPath = accepts(Host.Path)
    assert.isTrue(isPath("/etc/ssl/vpn chain.pem"))
    for (const text of ["", "/", "vpn.pem", "./vpn.pem", "/a\u0000b", "/\ud800"]) assert.isFalse(isPath(text), text)
  })
})
