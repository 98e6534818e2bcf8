/** The OpenAPI document, operation by operation: it is valid, it says everything, and its examples are what it says. */
import { assert, describe, it } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import { Access, Api, Problem } from "@vpnmgr/api"
import { Ajv2020 } from "ajv/dist/2020.js"
import formats from "ajv-formats"
import { OpenApi } from "effect/http-api"

interface Media {
  readonly schema: object
  readonly example?: unknown
  readonly examples?: Record<string, { readonly value: unknown }>
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly description?: string
  readonly schema: object
}

interface Answer {
  readonly description: string
  readonly content?: Record<string, Media>
  readonly headers?: Record<string, { readonly schema: object; readonly description?: string }>
}

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly description?: string
  readonly security: ReadonlyArray<Record<string, unknown>>
  readonly parameters: ReadonlyArray<Parameter>
  readonly requestBody?: { readonly content: Record<string, Media> }
  readonly responses: Record<string, Answer>
}

const document = JSON.parse(JSON.stringify(OpenApi.fromApi(Api))) as {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: {
    readonly schemas: Record<string, object>
    readonly securitySchemes: Record<string, { readonly description?: string }>
  }
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method, path, name: `${method} ${path}`, operation }))
)

/** Names what does not hold, of all operations at once. */
const nowhere = (found: (each: (typeof operations)[number]) => ReadonlyArray<string>) =>
  assert.deepStrictEqual(
    operations.flatMap((each) => found(each).map((what) => `${each.name}: ${what}`)),
    []
  )

const ajv = new Ajv2020({ strict: false, allErrors: true })
formats.default(ajv)

const compiled = new Map<string, ReturnType<typeof ajv.compile>>()

const validator = (schema: object) => {
  const text = JSON.stringify(schema)
  const known = compiled.get(text) ?? ajv.compile({ ...schema, components: document.components })
  compiled.set(text, known)
  return known
}

const objection = (schema: object, value: unknown): string | null => {
  const valid = validator(schema)
  return valid(value) ? null : `${JSON.stringify(value)?.slice(0, 300)}: ${ajv.errorsText(valid.errors)}`
}

const bodies = ({ requestBody, responses }: Operation) => [
  ...Object.entries(requestBody?.content ?? {}).map(([type, media]) => ["request", type, media] as const),
  ...Object.entries(responses).flatMap(([status, { content = {} }]) =>
    Object.entries(content).map(([type, media]) => [status, type, media] as const)
  )
]

const codes = (schema: object): ReadonlyArray<string> =>
  [...JSON.stringify(schema).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => {
    const { code } = (
      document.components.schemas[name!] as { readonly properties: Record<string, { readonly const?: string }> }
    ).properties
    return code?.const ?? "?"
  })

const open = ["post /api/v1/setup", "post /api/v1/session", "get /health/live", "get /health/ready"]

describe("The OpenAPI document", () => {
  it("is valid OpenAPI 3.1, by a validator that refuses what is not", async () => {
    const found = await new Validator().validate(structuredClone(document))
    assert.isTrue(found.valid, JSON.stringify(found.errors)?.slice(0, 2000))
    const broken = structuredClone(document) as { info?: unknown }
    delete broken.info
    assert.isFalse((await new Validator().validate(broken)).valid)
  })

  it("says what every operation does, who may call it, and what each parameter names", () => {
    assert.isAbove(operations.length, 70)
    const ids = operations.map(({ operation }) => operation.operationId)
    assert.strictEqual(new Set(ids).size, operations.length)
    nowhere(({ name, operation }) => [
      ...(operation.summary ? [] : ["no summary"]),
      ...((operation.description ?? "").length > 10 ? [] : ["no description"]),
      ...(/^[a-zA-Z]+\.[a-zA-Z]+$/.test(operation.operationId ?? "") ? [] : ["no operationId"]),
      ...((operation.security.length === 0) === open.includes(name) ? [] : ["not the security it has"]),
      ...operation.parameters
        .filter(({ description }) => !description)
        .map((parameter) => `${parameter.name} says nothing`)
    ])
    for (const [name, { description }] of Object.entries(document.components.securitySchemes))
      assert.isAbove(description?.length ?? 0, 20, name)
  })

  it("names every problem that an operation can answer, with its code, an example and a page", () => {
    const known = new Set<string>(Problem.all.map((each) => new each({ detail: "", retry_after: 1 }).code))
    nowhere(({ method, name, operation }) => {
      const { requestBody, responses } = operation
      const isPersons = operation.security.some((each) => "token" in each)
      const expected: ReadonlyArray<readonly [string, string, boolean]> = [
        ["400", "malformed", true],
        ["401", "unauthorized", operation.security.length > 0],
        ["403", "forbidden", isPersons],
        ["404", "not_found", isPersons && name.includes("{id}")],
        ["409", "request_in_progress", Access.takesKey(method, name.slice(method.length + 1))],
        ["413", "too_large", requestBody !== undefined],
        ["415", "unsupported_media_type", requestBody !== undefined],
        ["422", "idempotency_key_reused", Access.takesKey(method, name.slice(method.length + 1))],
        ["429", "too_many", true],
        ["500", "internal", true],
        ["503", "unavailable", true]
      ]
      const missing = expected.flatMap(([status, code, holds]) => {
        const media = responses[status]?.content?.["application/problem+json"]
        return !holds || (media !== undefined && codes(media.schema).includes(code)) ? [] : [`${status} ${code}`]
      })
      const strange = Object.entries(responses).flatMap(([status, { content = {} }]) =>
        Number(status) < 400
          ? []
          : Object.entries(content).flatMap(([type, { schema, examples = {} }]) => {
              const said = codes(schema)
              const shown = Object.keys(examples)
              const isWhole =
                type === "application/problem+json" && said.length > 0 && said.every((code) => known.has(code))
              return isWhole && said.toSorted().join() === shown.toSorted().join()
                ? []
                : [`${status}: ${said} ${shown}`]
            })
      )
      return [...missing, ...strange]
    })
  })

  it("names the headers of versions, keys and waiting", () => {
    nowhere(({ method, operation, path }) => {
      const takes = (header: string) =>
        operation.parameters.some((each) => each.in === "header" && each.name === header)
      const isPersons = operation.security.some((each) => "token" in each)
      const wait = (status: string) => operation.responses[status]?.headers?.["retry-after"] !== undefined
      return [
        ...(takes("vpnmgr-act-for") === isPersons ? [] : ["vpnmgr-act-for"]),
        ...(takes("idempotency-key") === Access.takesKey(method, path) ? [] : ["idempotency-key"]),
        ...(takes("If-Match") === "412" in operation.responses ? [] : ["If-Match"]),
        ...(wait("429") && wait("503") ? [] : ["retry-after"]),
        ...(operation.responses["401"] === undefined || operation.responses["401"].headers?.["www-authenticate"]
          ? []
          : ["www-authenticate"])
      ]
    })
    nowhere(({ operation }) =>
      Object.values(operation.responses).flatMap(({ content, headers }) => {
        const { properties = {} } = (content?.["application/json"]?.schema ?? {}) as { readonly properties?: object }
        return "updated_at" in properties === (headers?.["etag"] !== undefined) ? [] : ["etag"]
      })
    )
    const versioned = operations.filter(({ operation }) =>
      Object.values(operation.responses).some(({ headers }) => headers?.["etag"] !== undefined)
    )
    assert.isAbove(versioned.length, 20)
  })

  it("gives every body an example that its schema takes", () => {
    let examples = 0
    nowhere(({ operation }) =>
      bodies(operation).flatMap(([where, type, { example, examples: many, schema }]) => {
        const values = many === undefined ? [example] : Object.values(many).map(({ value }) => value)
        examples += values.length
        if (values.length === 0 || values.some((value) => value === undefined)) return [`${where} ${type} has none`]
        return values.flatMap((value) => {
          const found = objection(schema, value)
          return found === null ? [] : [`${where} ${found}`]
        })
      })
    )
    assert.isAbove(examples, 500)
  })

  it("would find an example that its schema does not take", () => {
    const { schema, example } = document.paths["/api/v1/groups"]!["post"]!.requestBody!.content["application/json"]!
    assert.isNull(objection(schema, example))
    assert.isNotNull(objection(schema, { ...(example as object), max_traffic: -1 }))
    assert.isNotNull(objection(schema, { ...(example as object), unknown: 1 }))
    assert.isNotNull(objection(schema, { ...(example as object), traffic_reset_period: 7 }))
  })

  it("says the unit of every amount", () => {
    const amounts = /(^|_)(bytes|traffic|speed)($|_)|^bytes_|^retry_after$|multiplier/
    const silent = new Set<string>()
    let found = 0
    const walk = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return
      if ("properties" in value && typeof value.properties === "object")
        for (const [name, schema] of Object.entries(value.properties as Record<string, { readonly $ref?: string }>))
          if (amounts.test(name) && !/uuid/.test(JSON.stringify(schema))) {
            found++
            if (!/bytes|bit\/s|seconds|thousandths|ISO 8601/.test(JSON.stringify(schema))) silent.add(name)
          }
      for (const child of Object.values(value)) walk(child)
    }
    walk(document)
    assert.isAbove(found, 30)
    assert.deepStrictEqual([...silent], [])
  })
})
