/**
 * The version of one thing, as `ETag`. A change or deletion that names another one in `If-Match` answers 412.
 *
 * A version names what people set: what follows from traffic and the clock (usage, state, health) moves without it.
 */
import { Schema } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { type Instant, Precondition } from "@vpnmgr/core"

const headers = {
  etag: Schema.optionalKey(
    Schema.String.annotate({
      description: "the version of what people set: send it as If-Match to change only this version",
      examples: ['"mdx3k2f0"']
    })
  )
}

/** The entity tag of a version: strong, in quotes. */
export const tag = (updatedAt: Instant.Instant): string => `"${Precondition.version(updatedAt)}"`

/** The answer of an operation on one thing: `ETag` is made of its `updated_at`, whoever answers it. */
export const of = <View extends Schema.Codec<{ readonly updatedAt: Instant.Instant }, unknown>>(
  view: View
): HttpApiSchema.encodeToWithHeaders<View, View, typeof headers> =>
  view.pipe(
    HttpApiSchema.encodeToWithHeaders(
      { body: view, headers },
      {
        decode: (answer) => (answer as { readonly body: View["Type"] }).body,
        encode: (value: View["Type"]) => ({ body: value, headers: { etag: tag(value.updatedAt) } }) as never
      }
    )
  )
