/**
 * The client config as a type: what a renderer or an operator's template must yield.
 *
 * It knows the parts this product renders and lets other options of sing-box pass as JSON; references between the parts
 * must hold. Whether sing-box runs it is for `sing-box check` to say.
 */
import { Schema } from "effect"

const Rest = [Schema.Record(Schema.String, Schema.Json)] as const

const Port = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 65535 })))

const Tag = Schema.NonEmptyString

const Server = { tag: Tag, server: Schema.NonEmptyString, server_port: Port }

const Tls = Schema.StructWithRest(
  Schema.Struct({
    enabled: Schema.Literal(true),
    server_name: Schema.NonEmptyString,
    /** PEM, line by line. */
    certificate: Schema.optionalKey(Schema.Array(Schema.String))
  }),
  Rest
)

const Vless = Schema.StructWithRest(
  Schema.Struct({
    type: Schema.Literal("vless"),
    ...Server,
    uuid: Schema.NonEmptyString,
    tls: Schema.optionalKey(Tls)
  }),
  Rest
)

const Shadowsocks = Schema.StructWithRest(
  Schema.Struct({
    type: Schema.Literal("shadowsocks"),
    ...Server,
    method: Schema.NonEmptyString,
    password: Schema.NonEmptyString
  }),
  Rest
)

const Hysteria2 = Schema.StructWithRest(
  Schema.Struct({ type: Schema.Literal("hysteria2"), ...Server, password: Schema.NonEmptyString, tls: Tls }),
  Rest
)

const Choice = Schema.StructWithRest(
  Schema.Struct({
    type: Schema.Literals(["selector", "urltest"]),
    tag: Tag,
    outbounds: Schema.NonEmptyArray(Tag),
    default: Schema.optionalKey(Tag)
  }),
  Rest
)

const known = ["vless", "shadowsocks", "hysteria2", "selector", "urltest"]

const Other = Schema.StructWithRest(
  Schema.Struct({
    type: Schema.NonEmptyString.pipe(
      Schema.check(Schema.makeFilter((type) => (known.includes(type) ? "Expected the fields of its type" : undefined)))
    ),
    tag: Tag
  }),
  Rest
)

/** One way out, or a choice among ways. */
export const Outbound = Schema.Union([Vless, Shadowsocks, Hysteria2, Choice, Other])
export type Outbound = typeof Outbound.Type

const Tagged = Schema.StructWithRest(Schema.Struct({ type: Schema.NonEmptyString, tag: Tag }), Rest)

const Shape = Schema.StructWithRest(
  Schema.Struct({
    log: Schema.optionalKey(Schema.Json),
    dns: Schema.optionalKey(Schema.Json),
    inbounds: Schema.Array(Tagged),
    outbounds: Schema.NonEmptyArray(Outbound),
    endpoints: Schema.optionalKey(Schema.Array(Tagged)),
    route: Schema.StructWithRest(
      Schema.Struct({ final: Tag, rules: Schema.optionalKey(Schema.Array(Schema.Json)) }),
      Rest
    )
  }),
  Rest
)

const brokenReference = (config: typeof Shape.Type): string | undefined => {
  const ways = [...config.outbounds, ...(config.endpoints ?? [])].map(({ tag }) => tag)
  const tags = new Set(ways)
  if (tags.size < ways.length) return "Expected every outbound to have a tag of its own"
  const named = config.outbounds.flatMap((outbound) =>
    outbound.type === "selector" || outbound.type === "urltest" ? (outbound.outbounds as ReadonlyArray<string>) : []
  )
  const missing = [config.route.final, ...named].find((tag) => !tags.has(tag))
  return missing === undefined ? undefined : `Expected an outbound with the tag ${JSON.stringify(missing)}`
}

/** A whole client config: parts of the right shape, tags unique, and no reference to an outbound that is not there. */
export const SingBoxConfig = Shape.pipe(Schema.check(Schema.makeFilter(brokenReference)))
export type SingBoxConfig = typeof SingBoxConfig.Type
