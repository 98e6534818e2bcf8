import { assert, describe, it } from "@effect/vitest"
import { Api, Page, Problem } from "@vpnmgr/api"
import { Result, Schema } from "effect"
import { OpenApi } from "effect/http-api"

interface Operation {
  readonly summary?: string
  readonly parameters: ReadonlyArray<{ readonly name: string; readonly in: string }>
  readonly responses: Record<
    string,
    { readonly content?: Record<string, unknown>; readonly headers?: Record<string, unknown> }
  >
}

const document = OpenApi.fromApi(Api)
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
    name: `${method} ${path}`,
    operation
  }))
)

describe("The contract", () => {
  it("is OpenAPI 3.1, with a summary on every operation", () => {
    assert.strictEqual(document.openapi, "3.1.0")
    assert.isAbove(operations.length, 40)
    assert.deepStrictEqual(
      operations.filter(({ operation }) => !operation.summary).map(({ name }) => name),
      []
    )
  })

  it("answers every error as a problem", () => {
    for (const { name, operation } of operations)
      for (const [status, { content }] of Object.entries(operation.responses))
        if (Number(status) >= 400)
          assert.deepStrictEqual(Object.keys(content ?? {}), ["application/problem+json"], name)
  })

  it("shows a version wherever one is looked at", () => {
    const versioned = operations.filter(({ operation }) => "412" in operation.responses)
    assert.isAbove(versioned.length, 10)
    for (const { name, operation } of operations) {
      const takes = operation.parameters.some((parameter) => parameter.name === "If-Match" && parameter.in === "header")
      assert.strictEqual(takes, "412" in operation.responses, name)
    }
    const readable = operations.find(({ name }) => name === "get /api/v1/groups/{id}")!
    assert.property(readable.operation.responses["200"]!.headers, "etag")
  })

  it("lets every POST of a person be sent again, and nothing else", () => {
    let takers = 0
    for (const { name, operation } of operations) {
      const takes = operation.parameters.some((parameter) => parameter.name === "idempotency-key")
      const isPersons = name.startsWith("post /api/v1/") && !/^post \/api\/v1\/(session|setup)($|\/)/.test(name)
      assert.strictEqual(takes, isPersons, name)
      const problems = JSON.stringify(operation.responses)
      assert.strictEqual(problems.includes("RequestInProgressEncoded"), takes, name)
      assert.strictEqual(problems.includes("IdempotencyKeyReusedEncoded"), takes, name)
      assert.strictEqual(problems.includes("idempotency-replayed"), takes, name)
      if (takes) takers++
    }
    assert.isAbove(takers, 10)
  })

  it("names everything in snake_case", () => {
    const names = new Set<string>()
    const walk = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return
      if ("properties" in value && typeof value.properties === "object")
        for (const name of Object.keys(value.properties ?? {})) names.add(name)
      for (const child of Object.values(value)) walk(child)
    }
    walk(document)
    assert.isTrue(names.has("max_traffic"))
    assert.deepStrictEqual(
      [...names].filter((name) => !/^[a-z0-9_]+$/.test(name)),
      []
    )
  })

  it("shows no secret in an answer but those that are shown once", () => {
    const secret = /password|private|secret|server_key|^key$|^token$/
    const shown = operations.flatMap(({ name, operation }) =>
      Object.entries(operation.responses).flatMap(([status, { content }]) =>
        Number(status) < 300 &&
        [...JSON.stringify(content ?? {}).matchAll(/"([a-z_]+)":\{/g)].some(([, key]) => secret.test(key!))
          ? [name]
          : []
      )
    )
    assert.deepStrictEqual(shown, [
      "post /api/v1/session",
      "post /api/v1/session/renew",
      "post /api/v1/users/{id}/password",
      "get /api/v1/subscriptions/{id}/config",
      "post /api/v1/nodes/{id}/tokens",
      "get /node/v1/state"
    ])
  })
})

describe("A cursor", () => {
  const decode = Schema.decodeUnknownResult(Page.Cursor)
  const id = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"

  it("comes back as it went", () => {
    const cursor = Schema.encodeSync(Page.Cursor)(id)
    assert.notInclude(cursor, id)
    assert.strictEqual(Result.getOrThrow(decode(cursor)), id)
  })

  it("is refused when it is another text", () => {
    for (const text of ["", id, "MTo", "%%%", "MTp4"]) assert.isTrue(Result.isFailure(decode(text)), text)
  })
})

describe("A problem", () => {
  it("has a code and a type of its own", () => {
    const codes = Problem.all.map((known) => new known({ detail: "", retry_after: 1 }).code)
    assert.strictEqual(new Set(codes).size, Problem.all.length)
  })
})
