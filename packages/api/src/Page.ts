/** Lists: `{items, next_cursor}`, walked by an opaque cursor. */
import { Effect, Option, Result, Schema, SchemaGetter, SchemaIssue } from "effect"
import { Base64Url } from "effect/encoding"
import { Id, type SubscriptionList, Wire } from "@vpnmgr/core"

/** Items in a page when nobody says otherwise, and at most. */
export const size = { default: 50, maximum: 200 } as const

const expected = "Expected the next_cursor of an earlier answer"
const notACursor = new SchemaIssue.InvalidValue({ message: expected })

const description = "next_cursor of the page before"

/** What is behind a version in base64url: another version is another kind of cursor. */
const reveal = (version: string, cursor: string): string | undefined => {
  const text = Result.getOrElse(Base64Url.decodeString(cursor), () => "")
  return text.startsWith(version) ? text.slice(version.length) : undefined
}

const byId = "1:"

/** Where the page before ended, in a list by id. Opaque: what is in it may change. */
export const Cursor = Schema.String.annotate({ description }).pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transformEffect((cursor: string) => {
      const id = reveal(byId, cursor) ?? ""
      return Id.isUuid(id) ? Effect.succeed(id) : Effect.fail(notACursor)
    }),
    encode: SchemaGetter.transform((id: string) => Base64Url.encode(`${byId}${id}`))
  })
)

/** `true` or `false` in a query. */
export const Flag = Schema.Literals(["true", "false"]).pipe(
  Schema.decodeTo(Schema.Boolean, {
    decode: SchemaGetter.transform((text: "true" | "false") => text === "true"),
    encode: SchemaGetter.transform((flag: boolean): "true" | "false" => (flag ? "true" : "false"))
  })
)

/** Text to search for: 1 to 200 characters. */
export const Search = Wire.text(200).pipe(Schema.check(Schema.isMinLength(1)))

/** Where the page before ended, in a list by something else. */
export interface Position extends SubscriptionList.Position {
  /** What was asked: a cursor leads on in the list it came from, with the same order and filters, alone. */
  readonly list: string
}

const byKey = "2:"

const Sealed = Schema.fromJsonString(
  Schema.Tuple([Schema.String, Schema.Union([Schema.Null, Schema.Finite, Schema.String]), Id.Uuid])
)
const unseal = Schema.decodeUnknownOption(Sealed)

/** The cursor of a position. */
export const cursorOf = ({ list, key, id }: Position): string =>
  Base64Url.encode(`${byKey}${JSON.stringify([list, key, id])}`)

/** The position of a cursor; null when it is none. */
export const positionAt = (cursor: string): Position | null =>
  Option.match(unseal(reveal(byKey, cursor)), {
    onNone: () => null,
    onSome: ([list, key, id]) => ({ list, key, id })
  })

/** The cursor of a list that is ordered by more than ids: it holds the value it is ordered by, too. */
export const PositionCursor = Schema.String.annotate({ description }).pipe(
  Schema.check(Schema.makeFilter((cursor: string) => positionAt(cursor) !== null || expected))
)

const limit = Schema.optional(
  Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: size.maximum }))).annotate({
    description: `items in the answer, 1 to ${size.maximum}; default ${size.default}`
  })
)

/** The query of every list by id. */
export const query = { limit, cursor: Schema.optional(Cursor) }

/** The query of a list that is ordered by more than ids. */
export const positionQuery = { limit, cursor: Schema.optional(PositionCursor) }

const page = <Item extends Schema.Top, C extends Schema.Top>(item: Item, cursor: C) =>
  Wire.struct({ items: Schema.Array(item), nextCursor: Schema.NullOr(cursor) })

/** A page of items; `next_cursor` is null on the last one. */
export const of = <Item extends Schema.Top>(item: Item) => page(item, Cursor)

/** A page of a list that is ordered by more than ids. */
export const positionOf = <Item extends Schema.Top>(item: Item) => page(item, PositionCursor)
