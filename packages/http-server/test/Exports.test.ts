/** Exports over HTTP: they are the list, whole, or they do not look whole. */
import { get, type IncomingMessage } from "node:http"
import { assert, describe, it, layer } from "@effect/vitest"
import { AuditLog, Id, Records, Transaction } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import * as Csv from "../src/Csv.ts"
import * as Server from "./Server.ts"

const { ask } = Server

const at = Date.UTC(2026, 0, 15)

const record = (index: number, fields: Partial<AuditLog.AuditRecord> = {}): AuditLog.AuditRecord => ({
  id: Id.v7(at + index, crypto.getRandomValues(new Uint8Array(10))),
  timestamp: at + index,
  actorId: Id.system,
  action: "test.record",
  targetType: "test",
  targetId: Id.lowest(at),
  meta: { index },
  ...fields
})

const nasty = [
  '=HYPERLINK("https://evil.example")',
  "+1+1",
  "-2+3",
  "@SUM(A1)",
  "\tTab",
  "\rReturn",
  "'quoted",
  'a, "b"\r\nc',
  "Grüße 🚀\u2028",
  ""
]

/** Reads RFC 4180, independently of what writes it. */
const parse = (text: string): ReadonlyArray<ReadonlyArray<string>> => {
  const rows: Array<Array<string>> = []
  let cells: Array<string> = []
  let position = 0
  while (position < text.length) {
    let cell = ""
    if (text[position] === '"') {
      for (position++; ; position++) {
        if (text[position] !== '"') cell += text[position]
        else if (text[position + 1] === '"') cell += text[++position]
        else break
      }
      position++
    } else while (position < text.length && !/[,\r]/.test(text[position]!)) cell += text[position++]
    cells.push(cell)
    if (text[position] === ",") position++
    else {
      assert.strictEqual(text.slice(position, position + 2), "\r\n")
      position += 2
      rows.push(cells)
      cells = []
    }
  }
  return rows
}

const walked = Effect.fnUntraced(function* (token: string, path: string) {
  const items: Array<Record<string, unknown>> = []
  for (let cursor = ""; ;) {
    const { json } = yield* ask(`GET ${path}&limit=200${cursor}`, { token })
    items.push(...json["items"])
    if (json["next_cursor"] === null) return items
    cursor = `&cursor=${json["next_cursor"]}`
  }
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("An export", (it) => {
  it.effect("is the list, walked to its end, in the same form", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const audit = yield* AuditLog.AuditStore
      yield* audit.append(Array.from({ length: 1234 }, (_, index) => record(index)))
      for (const filter of ["target_type=test", "target_type=test&from=2026-01-15T00:00:01Z", "target_type=none"]) {
        const items = yield* walked(token, `/api/v1/audit?${filter}`)
        const { headers, text } = yield* ask(`GET /api/v1/audit/export?${filter}`, { token })
        const lines = text.split("\n").slice(0, -1)
        assert.deepStrictEqual(
          lines.map((line) => JSON.parse(line)),
          items
        )
        assert.match(headers.get("content-type") ?? "", /^application\/x-ndjson/)
        assert.match(headers.get("content-disposition") ?? "", /^attachment; filename="audit-\d{8}T\d{6}Z\.ndjson"$/)
        assert.strictEqual(text === "" || text.endsWith("\n"), true)
      }
      assert.strictEqual((yield* walked(token, "/api/v1/audit?target_type=test")).length, 1234)
    })
  )

  it.effect("is CSV that no spreadsheet takes for formulas, and that reads back as it was", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const audit = yield* AuditLog.AuditStore
      yield* audit.append(
        nasty.map((action, index) => record(index, { action, targetType: "nasty", meta: { action } }))
      )
      const { headers, text } = yield* ask("GET /api/v1/audit/export?format=csv&target_type=nasty", { token })
      assert.strictEqual(headers.get("content-type"), "text/csv; charset=utf-8")
      const [header, ...rows] = parse(text)
      const items = yield* walked(token, "/api/v1/audit?target_type=nasty")
      assert.deepStrictEqual(header, ["id", "timestamp", "actor_id", "action", "target_type", "target_id", "meta"])
      assert.strictEqual(rows.length, nasty.length)
      for (const [index, row] of rows.entries()) {
        const item = items[index]!
        assert.notMatch(row[3]!, /^[=+\-@\t\r]/)
        assert.strictEqual(row[3]!.replace(/^'/, ""), item["action"])
        assert.deepStrictEqual(JSON.parse(row[6]!), item["meta"])
      }
      const empty = yield* ask("GET /api/v1/audit/export?format=csv&target_type=nothing", { token })
      assert.deepStrictEqual(parse(empty.text), [header!])
    })
  )

  it.effect(
    "is the list of subscriptions in its order, too, whatever their titles",
    () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        for (let index = 0; index < 520; index++) {
          const title = `${nasty[index % 8]!.replaceAll(/[\t\r\n]/g, "")} ${index % 7}`
          yield* ask("POST /api/v1/subscriptions", { token, body: { title, max_traffic: "9007199254740993" } })
        }
        for (const filter of ["sort=-title", "sort=created_at&state=active", "search=evil", "sort=-id&state=expired"]) {
          const items = yield* walked(token, `/api/v1/subscriptions?${filter}`)
          const { text } = yield* ask(`GET /api/v1/subscriptions/export?${filter}`, { token })
          const lines = text.split("\n").slice(0, -1)
          assert.deepStrictEqual(
            lines.map((line) => JSON.parse(line)),
            items
          )
          const csv = yield* ask(`GET /api/v1/subscriptions/export?format=csv&${filter}`, { token })
          const [header, ...rows] = parse(csv.text)
          const column = (name: string) => header!.indexOf(name)
          assert.deepStrictEqual(
            rows.map((row) => [row[column("id")], row[column("title")]!.replace(/^'/, ""), row[column("max_traffic")]]),
            items.map(({ id, title }) => [id, title, "9007199254740993"])
          )
        }
        assert.isAtLeast((yield* walked(token, "/api/v1/subscriptions?sort=-title")).length, 520)
      }),
    60_000
  )

  it.effect("is there for every list of records, and refused like it", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      for (const noun of ["traffic-reports", "access-log", "audit", "quarantine", "subscriptions"]) {
        assert.strictEqual((yield* ask(`GET /api/v1/${noun}/export?format=csv`, { token })).status, 200)
        assert.strictEqual((yield* ask(`GET /api/v1/${noun}/export`)).status, 401)
        const wrong = yield* ask(`GET /api/v1/${noun}/export?format=xml`, { token })
        assert.deepStrictEqual([wrong.status, wrong.json["code"]], [400, "malformed"])
        const limited = yield* ask(`GET /api/v1/${noun}/export?limit=5`, { token })
        assert.deepStrictEqual([limited.status, limited.json["code"]], [400, "malformed"])
      }
    })
  )
})

const away = new Transaction.StoreError({ reason: new Transaction.StoreUnavailable({ detail: "away" }) })

let pages = 0
/** Lists that never end, and one that fails at its third page. */
const endless = Layer.effect(
  Records.Records,
  Effect.map(Records.Records, (records) => ({
    ...records,
    audit: ({ action }: AuditLog.AuditFilter, { after, limit }: AuditLog.Page) => {
      pages++
      if (action === "fails" && (after === null ? 0 : Number.parseInt(after.slice(-4), 16)) >= 1000)
        return Effect.fail(away)
      const start = after === null ? 0 : Number.parseInt(after.slice(-4), 16)
      return Effect.succeed(
        Array.from({ length: limit }, (_, index) =>
          record(0, {
            id: `0199f3f0-5a7e-7cc3-8a11-00000000${((start + index + 1) % 65_536).toString(16).padStart(4, "0")}`,
            meta: { text: "x".repeat(500) }
          })
        )
      )
    }
  }))
)

/** Begins an export and reads nothing of it. */
const begun = (path: string, token: string) =>
  Effect.flatMap(Server.baseUrl, (baseUrl) =>
    Effect.callback<IncomingMessage>((resume) => {
      get(`${baseUrl}${path}`, { headers: { authorization: `Bearer ${token}` } }, (response) => {
        response.pause()
        response.on("error", () => {})
        resume(Effect.succeed(response))
      })
    })
  )

layer(Server.layer({ local: false }, endless), { excludeTestServices: true })(
  "An export that cannot be finished",
  (it) => {
    it.effect("is aborted, and does not look complete", () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        const response = yield* begun("/api/v1/audit/export?action=fails", token)
        assert.strictEqual(response.statusCode, 200)
        const ended = yield* Effect.callback<string>((resume) => {
          let size = 0
          response.on("data", (chunk: Buffer) => (size += chunk.length))
          response.on("end", () => resume(Effect.succeed("end")))
          response.on("close", () => resume(Effect.succeed(response.complete ? "complete" : `cut after ${size > 0}`)))
          response.resume()
        })
        assert.strictEqual(ended, "cut after true")
        const { lines } = yield* Server.Log
        assert.isTrue(lines.some((line) => line.includes("an export was cut off") && line.includes("ERROR")))
        const failing = yield* ask("GET /api/v1/audit?action=other", { token })
        assert.strictEqual(failing.status, 200, "control: the list answers")
      })
    )

    it.effect(
      "waits for its client without reading ahead, and is cut off when that stands still; others wait for a place",
      () =>
        Effect.gen(function* () {
          const token = yield* Server.signedIn
          pages = 0
          const first = yield* begun("/api/v1/audit/export", token)
          const second = yield* begun("/api/v1/audit/export?format=csv", token)
          const third = yield* begun("/api/v1/audit/export", token)
          assert.deepStrictEqual([first.statusCode, second.statusCode, third.statusCode], [200, 200, 429])
          yield* Effect.sleep("300 millis")
          const read = pages
          yield* Effect.sleep("300 millis")
          assert.strictEqual(pages, read, "nothing is read for a client that does not read")
          yield* Effect.sleep("2 seconds")
          const closed = Effect.callback<boolean>((resume) => {
            first.on("close", () => resume(Effect.succeed(first.complete)))
            first.resume()
          })
          assert.isFalse(yield* closed, "the export was cut off")
          second.destroy()
          const again = yield* begun("/api/v1/audit/export", token)
          assert.strictEqual(again.statusCode, 200)
          again.destroy()
          third.destroy()
        })
    )

    it.effect("gives its place back when its client goes", () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        yield* Effect.sleep("300 millis")
        for (let count = 0; count < 5; count++) {
          const response = yield* begun("/api/v1/audit/export", token)
          assert.strictEqual(response.statusCode, 200)
          response.destroy()
          yield* Effect.sleep("100 millis")
        }
      })
    )
  }
)

layer(Server.layer({ local: false }, endless, { exports: 3, exportsOfPerson: 2 }), { excludeTestServices: true })(
  "Exports of one person",
  (it) => {
    it.effect("leave a place to others", () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        const body = { username: "grace", password: "a long password" }
        yield* ask("POST /api/v1/users", { token, body: { ...body, role: "superuser" } })
        const { json } = yield* ask("POST /api/v1/session", { body })
        const other = json["token"] as string
        const path = "/api/v1/audit/export"
        const own = [yield* begun(path, token), yield* begun(path, token), yield* begun(path, token)]
        const others = [yield* begun(path, other), yield* begun(path, other)]
        assert.deepStrictEqual(
          [...own, ...others].map(({ statusCode }) => statusCode),
          [200, 200, 429, 200, 429]
        )
        for (const response of [...own, ...others]) response.destroy()
        yield* Effect.sleep("300 millis")
        const again = yield* begun(path, token)
        assert.strictEqual(again.statusCode, 200, "control: a place is given back")
        again.destroy()
      })
    )
  }
)

/** Reads an export for as long as it comes, so long at most: whether it was cut off. */
const wasCutOff = (response: IncomingMessage, longest: number) =>
  Effect.callback<boolean>((resume) => {
    const timer = setTimeout(() => {
      response.destroy()
      resume(Effect.succeed(false))
    }, longest)
    response.on("close", () => {
      clearTimeout(timer)
      resume(Effect.succeed(!response.complete))
    })
    response.resume()
  })

layer(Server.layer({ local: false }, endless, { exports: 10, exportIdle: 20_000 }), { excludeTestServices: true })(
  "An export of somebody",
  (it) => {
    it.effect(
      "who is signed out, disabled or of another role meanwhile is cut off",
      () =>
        Effect.gen(function* () {
          const token = yield* Server.signedIn
          const begins = Effect.fnUntraced(function* (username: string) {
            const body = { username, password: "a long password" }
            const { id } = (yield* ask("POST /api/v1/users", { token, body: { ...body, role: "superuser" } })).json
            const session = (yield* ask("POST /api/v1/session", { body })).json["token"] as string
            const response = yield* begun("/api/v1/audit/export", session)
            assert.strictEqual(response.statusCode, 200)
            return { id: id as string, token: session, response }
          })
          const [out, disabled, demoted, stays] = [
            yield* begins("out"),
            yield* begins("disabled"),
            yield* begins("demoted"),
            yield* begins("stays")
          ]
          yield* ask("DELETE /api/v1/session", { token: out.token })
          yield* ask(`PATCH /api/v1/users/${disabled.id}`, { token, body: { is_disabled: true } })
          yield* ask(`PATCH /api/v1/users/${demoted.id}`, { token, body: { role: "operator" } })
          const isCutOff = yield* Effect.forEach([out, disabled, demoted], ({ response }) => wasCutOff(response, 3000))
          assert.deepStrictEqual([...isCutOff, yield* wasCutOff(stays.response, 1000)], [true, true, true, false])
        }),
      20_000
    )
  }
)

describe("A cell of CSV", () => {
  it("is what RFC 4180 says, with numbers as they are", () => {
    assert.strictEqual(
      Csv.row(["plain", "a,b", 'say "x"', "-5", -5, "9223372036854775808", null, true, ["a", 1], "-5x"]),
      `plain,"a,b","say ""x""",-5,-5,9223372036854775808,,true,"[""a"",1]","'-5x"\r\n`
    )
  })
})
