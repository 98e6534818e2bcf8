import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Judge from "../src/Judge.ts"
import { idOf, titleOf } from "../src/Seed.ts"

const config = JSON.stringify({
  outbounds: [{ tag: "direct" }, { server: "198.51.100.1" }, { server: "198.51.100.2" }]
})
const expected = { status: 200, length: config.length, proxies: 2 }
const asked = { path: `/s/${idOf(7)}`, index: 7 }

const headersOf = (body: string, title = titleOf(7)) => [
  "ETag",
  `"${createHash("sha256").update(body).digest("base64url")}"`,
  "Profile-Title",
  `base64:${Buffer.from(title).toString("base64")}`,
  ...[
    "subscription-userinfo",
    "profile-update-interval",
    "content-disposition",
    "cache-control",
    "referrer-policy"
  ].flatMap((name) => [name, "x"])
]

const verdictOn = (status: number, headers: ReadonlyArray<string>, body: string) => {
  const judge = Judge.make(expected)
  judge.see(asked, status, () => headers, body)
  return judge.seen()
}

describe("Judge", () => {
  it("takes the config that was asked for", () => {
    assert.deepStrictEqual(verdictOn(200, headersOf(config), config), { inspected: 1, wrong: 0, firstWrong: null })
  })

  it("refuses another status, another size, another subscription, another tag, another number of proxies, a lost header", () => {
    const poorer = config.replace('"server":"198.51.100.2"', '"sorrow":"198.51.100.2"')
    const cases: ReadonlyArray<readonly [RegExp, number, ReadonlyArray<string>, string]> = [
      [/503 instead of 200/, 503, headersOf(config), config],
      [/bytes instead of/, 200, headersOf(config), `${config} `],
      [/the config of "Subscriber 00000008"/, 200, headersOf(config, titleOf(8)), config],
      [/ETag/, 200, headersOf(`${config} `), config],
      [/1 proxies instead of 2/, 200, headersOf(poorer), poorer],
      [/no header referrer-policy/, 200, headersOf(config).slice(0, -2), config]
    ]
    for (const [why, status, headers, body] of cases) {
      const { firstWrong, wrong } = verdictOn(status, headers, body)
      assert.strictEqual(wrong, 1, String(why))
      assert.match(firstWrong ?? "", why)
    }
  })

  it("asks for every seeded link once before any comes again", () => {
    const next = Judge.sequence({ kind: "seeded", count: 1000, start: 17 })
    const paths = Array.from({ length: 1000 }, () => next().path)
    assert.strictEqual(new Set(paths).size, 1000)
    assert.isTrue(paths.includes(`/s/${idOf(1)}`) && paths.includes(`/s/${idOf(1000)}`))
    assert.strictEqual(next().path, paths[0])
  })
})
