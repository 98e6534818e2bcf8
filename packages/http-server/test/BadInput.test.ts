/** What is not asked as it should be: each row its documented problem, and nothing is changed. */
import { assert, layer } from "@effect/vitest"
import { MemoryStores } from "@vpnmgr/core"
import { Effect } from "effect"
import * as Requests from "./bad-input/Requests.ts"
import * as Values from "./bad-input/Values.ts"
import * as World from "./bad-input/World.ts"
import * as Server from "./Server.ts"

const { ask } = Server

/** Every row answers its problem and leaves the store as it is; all that do not are named. */
const judge = Effect.fnUntraced(function* (rows: ReadonlyArray<World.Row>) {
  const contents = yield* MemoryStores.Contents
  const wrong: Array<string> = []
  for (const { name, route, asking, status, code, field } of rows) {
    const before = yield* contents
    const { headers, json, status: answered, text } = yield* ask(route, asking)
    const named = json["errors"]?.[0]?.field
    const type = headers.get("content-type")
    const fits = answered === status && json["code"] === code && (field === undefined || named === field)
    if (!fits || type !== "application/problem+json" || /node_modules|\.[jt]s:\d+/.test(text))
      wrong.push(
        `${name} (${route}): ${answered} ${json["code"]} ${named}, expected ${status} ${code} ${field}: ${text.slice(0, 200)}`
      )
    if ((yield* contents) !== before) wrong.push(`${name} (${route}) changed the store`)
  }
  assert.deepStrictEqual(wrong, [])
})

const hourly = Server.layer({ local: false }, undefined, { grain: 3_600_000, isQuiet: true })

layer(hourly, { excludeTestServices: true })("Bad input", (it) => {
  it.effect("in a value is named, and changes nothing", () =>
    Effect.gen(function* () {
      const rows = Values.rows(yield* World.make)
      assert.isAbove(rows.length, 200)
      yield* judge(rows)
    })
  )
})

layer(hourly, { excludeTestServices: true })("Bad requests", (it) => {
  it.effect("answer their problem, and change nothing", () =>
    Effect.gen(function* () {
      const world = yield* World.make
      yield* judge(Requests.rows(world))
      const refused = yield* ask("PUT /api/v1/subscriptions", { token: world.root })
      assert.strictEqual(refused.headers.get("allow"), "GET, HEAD, POST")
    })
  )

  it.effect("would be seen in the store if they changed something", () =>
    Effect.gen(function* () {
      const contents = yield* MemoryStores.Contents
      const token = yield* Server.signedIn
      const before = yield* contents
      yield* ask("GET /api/v1/subscriptions", { token })
      assert.strictEqual(yield* contents, before)
      yield* ask("POST /api/v1/groups", { token, body: { name: "seen" } })
      assert.notStrictEqual(yield* contents, before)
    })
  )
})

layer(Server.layer({ local: false }, undefined, { isQuiet: true, session: { lifetime: 300, maximum: 300 } }), {
  excludeTestServices: true
})("An expired session", (it) => {
  it.effect("is refused, and was not before", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      assert.strictEqual((yield* ask("GET /api/v1/session", { token })).status, 200)
      yield* Effect.sleep("400 millis")
      yield* judge([
        { name: "expired", route: "GET /api/v1/session", asking: { token }, status: 401, code: "unauthorized" },
        {
          name: "expired",
          route: "POST /api/v1/groups",
          asking: { token, body: { name: "x" } },
          status: 401,
          code: "unauthorized"
        }
      ])
    })
  )
})

layer(hourly, { excludeTestServices: true })("Good input", (it) => {
  it.effect("of any kind comes back as it was sent", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const titles = [
        "quotes \" ' ` and \\",
        "two\nlines\r\n\tand a tab",
        "line\u2028and paragraph\u2029separators",
        "\u{1F469}\u{1F3FD}\u200D\u{1F680} \u{1F1FA}\u{1F1E6}",
        "\u202Eright to left\u202C \u05E9\u05DC\u05D5\u05DD \u200F",
        "e\u0301 is not \u00E9",
        "'; DROP TABLE subscription; --",
        "{{ constructor }} ${7*7} <script>alert(1)</script>",
        "\u{1F600}".repeat(100),
        "t".repeat(200),
        "__proto__"
      ]
      for (const title of titles) {
        const made = yield* ask("POST /api/v1/subscriptions", { token, body: { title, description: title } })
        assert.strictEqual(made.status, 201, made.text)
        const got = yield* ask(`GET /api/v1/subscriptions/${made.json["id"]}`, { token })
        assert.strictEqual(got.json["title"], title)
        assert.strictEqual(got.json["description"], title)
      }
    })
  )

  it.effect("at its bounds is taken", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      for (const [field, sent, shown] of [
        ["traffic_reset_period", "P1Y2M3DT4H", "P1Y2M3DT4H"],
        ["traffic_reset_period", "P100Y", "P100Y"],
        ["traffic_reset_period", "PT60M", "PT60M"],
        ["traffic_reset_period", null, null],
        ["max_traffic", 0, 0],
        ["max_traffic", "9223372036854775807", "9223372036854775807"],
        ["max_traffic", "9007199254740991", 9007199254740991],
        ["max_traffic", 9007199254740991, 9007199254740991],
        ["max_speed", "9007199254740992", "9007199254740992"],
        ["expires_at", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"],
        ["expires_at", "2024-02-29T01:00:00+01:00", "2024-02-29T00:00:00.000Z"],
        ["title", "", ""]
      ] as const) {
        const made = yield* ask("POST /api/v1/subscriptions", { token, body: { [field]: sent } })
        assert.deepStrictEqual([made.status, made.json[field]], [201, shown], made.text)
      }
    })
  )

  it.effect("may name its charset, and its body's length or not", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      for (const type of ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']) {
        const made = yield* ask("POST /api/v1/subscriptions", { token, body: "{}", headers: { "content-type": type } })
        assert.strictEqual(made.status, 201, made.text)
      }
      const head = yield* ask("HEAD /api/v1/subscriptions", { token })
      assert.deepStrictEqual([head.status, head.text], [200, ""])
    })
  )
})
