/**
 * `If-Match` (RFC 9110, 13.1.1): which versions of a thing a change accepts. Compared strongly, so a weak tag matches
 * nothing. An operation that does not look at versions refuses the header rather than ignore it.
 */
import { Problem } from "@vpnmgr/api"
import { Precondition } from "@vpnmgr/core"
import { Effect, SchemaAST } from "effect"
import { HttpServerRequest } from "effect/http"
import type { HttpApiEndpoint } from "effect/http-api"

/** Bytes of the header at most. */
const longest = 4096

const malformed = (detail: string) =>
  new Problem.Malformed({ detail: `if-match: ${detail}`, errors: [{ field: "if-match", detail }] })

const notTags = malformed('Expected * or entity tags such as "mdx3k2f0", separated by commas')
const unversioned = malformed("This operation looks at no version")

/** A tag up to the comma behind it, from where the one before ended. */
const tag = /[\t ]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[\t ]*)?(?:,|$)/y

/** Reads the header; null for one that is not entity tags. `*` is any version of a thing that is there. */
export const read = (header: string): Precondition.Expected | null => {
  if (header.trim() === "*") return "any"
  if (header.length > longest) return null
  const found: Array<readonly [isWeak: boolean, opaque: string]> = []
  for (tag.lastIndex = 0; tag.lastIndex < header.length;) {
    const match = tag.exec(header)
    if (match === null) return null
    if (match[2] !== undefined) found.push([match[1] !== undefined, match[2]])
  }
  return found.length === 0 ? null : found.flatMap(([isWeak, opaque]) => (isWeak ? [] : [opaque]))
}

/** Whether an operation looks at versions: it says that it may answer 412. */
const isVersioned = ({ error }: HttpApiEndpoint.Top): boolean =>
  Array.from(error).some(({ ast }) => SchemaAST.resolve(ast)?.httpApiStatus === 412)

/** Runs a handler with what the request at hand expects of the thing it names. */
export const expecting = <A, E, R>(handler: Effect.Effect<A, E, R>, endpoint: HttpApiEndpoint.Top) => {
  const versioned = isVersioned(endpoint)
  return Effect.gen(function* () {
    const header = (yield* HttpServerRequest.HttpServerRequest).headers["if-match"]
    if (header === undefined) return yield* handler
    const expected = read(header)
    if (expected === null) return yield* notTags
    if (!versioned) return yield* unversioned
    return yield* Effect.provideService(handler, Precondition.Expected, expected)
  })
}
