/**
 * Every config that `/s` can answer: the built-in rendering and the default template make the same of it, the model's
 * Schema takes it, every supported sing-box accepts it, and runs it without a complaint.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { ConfigModel, ConfigTemplate, SingBoxClient, SingBoxConfig } from "@vpnmgr/core"
import { Effect, Schema } from "effect"
import * as fc from "fast-check"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NunjucksTemplate } from "../src/index.ts"
import * as Profiles from "./Profiles.ts"
import * as SingBox from "./SingBox.ts"

const directory = mkdtempSync(join(tmpdir(), "configs-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const seed = Number(process.env.VPNMGR_SEED ?? Date.now() % 1_000_000)

/** The edges, and as many again that nobody thought of. */
const cases = [
  ...Profiles.edges,
  ...fc.sample(Profiles.profile, { seed, numRuns: 150 }).map((profile, n) => [`${n} of seed ${seed}`, profile] as const)
].map(([name, profile]) => ({ name, config: SingBoxClient.render(ConfigModel.of(profile)) }))

const write = (name: string, config: object): string => {
  const file = join(directory, `${name}.json`)
  writeFileSync(file, JSON.stringify(config))
  return file
}

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(SingBoxConfig.SingBoxConfig))

describe("Any config", () => {
  it.live(
    "is rendered by the default template as it is without one, and is what its Schema says",
    () =>
      Effect.gen(function* () {
        const template = yield* NunjucksTemplate.load(NunjucksTemplate.defaultFile)
        const seen = new Set<string>()
        const profiles = [
          ...Profiles.edges.map(([, profile]) => profile),
          ...fc.sample(Profiles.profile, { seed, numRuns: 500 })
        ]
        for (const profile of profiles) {
          const model = ConfigModel.of(profile)
          seen.add(model.state)
          const typed = SingBoxClient.render(model)
          assert.deepStrictEqual(yield* ConfigTemplate.render(template, model), typed, `seed ${seed}`)
          assert.deepStrictEqual(decode(JSON.stringify(typed)), typed, `seed ${seed}`)
          assert.notInclude(
            typed.outbounds.map(({ tag }) => tag),
            "leak"
          )
        }
        assert.sameMembers([...seen], ["active", "expired", "over_limit", "no_servers"])
      }).pipe(Effect.scoped),
    60_000
  )
})

/** One of each kind to run: every state, each protocol alone, all of them with the worst texts. */
const representative = cases.filter(({ name }) =>
  /^(active, (vless|shadowsocks|hysteria2|nothing)$|active, .*(leak|u202e|lines)|expired|over limit until|provider)/.test(
    name
  )
)

for (const { path, title, version } of SingBox.versions)
  describe.skipIf(path === undefined)(`sing-box ${title}`, () => {
    it(`accepts every one of ${cases.length}`, { timeout: 240_000 }, async () => {
      const refused = await SingBox.twoAtATime(cases, async ({ config, name }) => {
        const said = await SingBox.check(
          path!,
          write(`${version} ${cases.findIndex((each) => each.name === name)}`, config)
        )
        return said === "" ? "" : `${name}: ${said}`
      })
      assert.deepStrictEqual(refused, [])
    })

    it(
      `runs one of each kind without a complaint${SingBox.hasTun ? "" : ", with a port in place of the tun device"}`,
      {
        timeout: 120_000
      },
      async () => {
        assert.isAtLeast(representative.length, 10)
        const complaints = await SingBox.twoAtATime(representative, async ({ config, name }) => {
          const index = representative.findIndex((each) => each.name === name)
          const log = await SingBox.logOf(
            path!,
            write(`${version} run ${index}`, SingBox.runnable(config, 29_000 + index))
          )
          return SingBox.complaint.test(log) ? `${name}: ${log.slice(0, 500)}` : ""
        })
        assert.deepStrictEqual(complaints, [])
      }
    )

    it("is seen to refuse what is wrong, and to complain of what is old", { timeout: 30_000 }, async () => {
      const { config } = representative[0]!
      assert.notStrictEqual(await SingBox.check(path!, write(`${version} wrong`, { ...config, nonsense: true })), "")
      const wrongKey = { ...config, outbounds: [{ type: "shadowsocks", tag: "a", server: "h", server_port: 1 }] }
      assert.notStrictEqual(await SingBox.check(path!, write(`${version} key`, wrongKey)), "")
      const old = { ...config, dns: { servers: [{ tag: "old", address: "local" }] } }
      const file = write(`${version} old`, SingBox.runnable(old, 29_900))
      assert.match(await SingBox.logOf(path!, file), SingBox.complaint)
    })
  })
