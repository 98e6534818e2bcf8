/** Lists: `{items, next_cursor}`, walked by an opaque cursor. */
import { Effect, Result, Schema, SchemaGetter, SchemaIssue } from "effect"
import { Base64Url } from "effect/encoding"
import { Id, Wire } from "@vpnmgr/core"

/** Items in a page when nobody says otherwise, and at most. */
export const size = { default: 50, maximum: 200 } as const

const prefix = "1:"

const notACursor = new SchemaIssue.InvalidValue({ message: "Expected the next_cursor of an earlier answer" })

/** Where the page before ended. Opaque: what is in it may change. */
export const Cursor = Schema.String.annotate({ description: "next_cursor of the page before" }).pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transformEffect((text: string) => {
      const decoded = Result.getOrElse(Base64Url.decodeString(text), () => "")
      const id = decoded.slice(prefix.length)
      return decoded.startsWith(prefix) && Id.isUuid(id) ? Effect.succeed(id) : Effect.fail(notACursor)
    }),
    encode: SchemaGetter.transform((id: string) => Base64Url.encode(`${prefix}${id}`))
  })
)

/** The query of every list. */
export const query = {
  limit: Schema.optional(
    Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: size.maximum }))).annotate({
      description: `items in the answer, 1 to ${size.maximum}; default ${size.default}`
    })
  ),
  cursor: Schema.optional(Cursor)
}

/** A page of items; `next_cursor` is null on the last one. */
export const of = <Item extends Schema.Top>(item: Item) =>
  Wire.struct({ items: Schema.Array(item), nextCursor: Schema.NullOr(Cursor) })
