import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Agent from "../src/settings/AgentSettings.ts"
import * as Server from "../src/settings/ServerSettings.ts"
import { read } from "../src/settings/Sources.ts"
import { table } from "./SettingsTable.ts"
import { workplace } from "./Vpnmgr.ts"

const guide = readFileSync(fileURLToPath(new URL("../../../docs/guide/settings.md", import.meta.url)), "utf8")

interface Given {
  readonly flags?: Record<string, string>
  readonly environment?: Record<string, string>
  readonly toml?: string
}

/** Reads settings from what is given; `file` stands for the settings file in problems. */
const reading = ({ environment = {}, flags = {}, toml }: Given) =>
  Effect.gen(function* () {
    const { directory, remove } = workplace()
    yield* Effect.addFinalizer(() => Effect.sync(remove))
    const file = toml === undefined ? null : join(directory, "vpnmgr.toml")
    if (file !== null) writeFileSync(file, toml ?? "")
    const options = Object.fromEntries(Object.entries(flags).map(([key, value]) => [key, Option.some(value)]))
    const answer = yield* Effect.result(
      read(Server.ServerSettings, Server.definitions, { flags: options, environment, file })
    )
    return answer._tag === "Success"
      ? { ...answer.success, problems: [] as ReadonlyArray<string> }
      : {
          settings: null,
          found: null,
          problems: answer.failure.problems.map((line) => line.replace(file ?? "-", "file"))
        }
  }).pipe(Effect.scoped)

const key = Buffer.alloc(32, 7).toString("base64")

describe("settings", () => {
  it.effect("come from a flag before the environment, from there before the file, and else from the default", () =>
    Effect.gen(function* () {
      const toml = `listen = "127.0.0.1:1"\ngrain = 3\nspares_minimum = 5\ntrusted_proxies = ["10.0.0.1"]\n`
      const environment = { VPNMGR_LISTEN: "127.0.0.1:2", VPNMGR_GRAIN: "2s" }
      const { found, settings } = yield* reading({ toml, environment, flags: { listen: "127.0.0.1:3" } })
      assert.strictEqual(settings?.listen.port, 3)
      assert.strictEqual(settings?.grain, 2000)
      assert.strictEqual(settings?.sparesMinimum, 5)
      assert.deepStrictEqual(settings?.trustedProxies, ["10.0.0.1"])
      assert.strictEqual(settings?.sparesQuietHour, 4)
      assert.deepStrictEqual(
        [found?.["listen"]?.from, found?.["grain"]?.from, found?.["sparesQuietHour"]?.from],
        ["--listen", "VPNMGR_GRAIN", "default"]
      )
    })
  )

  it.effect("take a secret from a file that the environment or the settings file names", () =>
    Effect.gen(function* () {
      const { directory, remove } = workplace()
      yield* Effect.addFinalizer(() => Effect.sync(remove))
      writeFileSync(join(directory, "key"), `${key}\n`)
      const named = yield* reading({ environment: { VPNMGR_ENCRYPTION_KEY_FILE: join(directory, "key") } })
      const fromToml = yield* reading({ toml: `encryption_key_file = "${join(directory, "key")}"\n` })
      for (const { settings } of [named, fromToml]) assert.strictEqual(Redacted.value(settings!.encryptionKey!)[31], 7)
    })
  )

  it.effect("say every problem at once, with the nearest name for an unknown one", () =>
    Effect.gen(function* () {
      const { problems } = yield* reading({
        toml: `lisen = "127.0.0.1:1"\n`,
        environment: { VPNMGR_LOG_LEVL: "info", VPNMGR_GRAIN: "soon", VPNMGR_TEST_ANYTHING: "1", VPNMGR_KILL_AT: "x:1" }
      })
      assert.deepStrictEqual(
        problems.map((line) => line.split(" (")[0]),
        [
          "VPNMGR_LOG_LEVL: there is no such setting; did you mean VPNMGR_LOG_LEVEL?",
          "file: lisen: there is no such setting; did you mean listen?",
          "VPNMGR_GRAIN: expected a length of time of at least 1s, such as 90s, 10m, 1h or 30d"
        ]
      )
    })
  )

  it.effect("never repeat a secret that is not one", () =>
    Effect.gen(function* () {
      const { problems } = yield* reading({ environment: { VPNMGR_ENCRYPTION_KEY: "hunter2hunter2" } })
      assert.strictEqual(problems.length, 1)
      assert.notInclude(problems.join(), "hunter2")
    })
  )

  it.effect("refuse to listen to the network without TLS or proxies, and PostgreSQL without a key", () =>
    Effect.gen(function* () {
      const open = yield* reading({ environment: { VPNMGR_LISTEN: "0.0.0.0:80" } })
      assert.match(open.problems.join(), /^VPNMGR_LISTEN: .*tls_cert_file/)
      const proxied = yield* reading({
        environment: { VPNMGR_LISTEN: "0.0.0.0:80", VPNMGR_TRUSTED_PROXIES: "10.0.0.1" }
      })
      assert.deepStrictEqual(proxied.problems, [])
      const keyless = yield* reading({ environment: { VPNMGR_DATABASE_URL: "postgres://u:p@h/d" } })
      assert.match(keyless.problems.join(), /^encryption_key: must be set with PostgreSQL.*vpnmgr key generate/)
      const whole = yield* reading({
        environment: { VPNMGR_DATABASE_URL: "postgres://u:p@h/d", VPNMGR_ENCRYPTION_KEY: key }
      })
      assert.deepStrictEqual(whole.problems, [])
    })
  )

  it.effect("say what must be set when it is not", () =>
    Effect.gen(function* () {
      const request = { flags: {}, environment: { VPNMGR_NODE_KEY: "k" }, file: null }
      const { problems } = yield* Effect.flip(read(Agent.AgentSettings, Agent.definitions, request))
      assert.deepStrictEqual(problems, [
        "url: must be set, as VPNMGR_URL or --url: expected a URL that begins with http:// or https://"
      ])
    })
  )

  it.effect("say where a settings file is broken", () =>
    Effect.gen(function* () {
      const { problems } = yield* reading({ toml: `listen = \n` })
      assert.match(problems.join(), /^file: .+/)
    })
  )

  it("stand in the guide, every one", () => {
    assert.include(guide, table(Server.definitions))
    assert.include(guide, table(Agent.definitions))
  })
})
