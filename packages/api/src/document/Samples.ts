/**
 * Examples for the OpenAPI document, made of the schemas themselves, so that an operation cannot be without one and none
 * can be wrong for long. Names decide what a value looks like; a schema's own example comes first.
 */

/** A JSON schema as the document has it. */
export interface JsonSchema {
  readonly $ref?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: ReadonlyArray<unknown>
  readonly example?: unknown
  readonly examples?: ReadonlyArray<unknown>
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly oneOf?: ReadonlyArray<JsonSchema>
  readonly allOf?: ReadonlyArray<JsonSchema>
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly prefixItems?: ReadonlyArray<JsonSchema>
  readonly minItems?: number
  readonly format?: string
  readonly pattern?: string
  readonly minLength?: number
  readonly minimum?: number
}

export type Components = Readonly<Record<string, JsonSchema>>

const id = "01994a40-5a7e-7cc3-8a11-3a8b5f1d2c4e"

const named: Readonly<Record<string, unknown>> = {
  title: "Ann's phone",
  description: "Frankfurt, second rack",
  username: "ann",
  name: "basic",
  password: "correct horse battery",
  current_password: "correct horse battery",
  new_password: "battery staple correct",
  secret: "p2s7yT0c0rXn1mS6bW8kq3ZdL5vJ9aEf",
  token: "eyJhbGciOiJIUzI1NiJ9.eyJzaWQiOiIwMTk5NGE0MCJ9.c2lnbmF0dXJl",
  key: "p2s7yT0c0rXn1mS6bW8kq3ZdL5vJ9aEf",
  max_traffic: 107_374_182_400,
  max_speed: 50_000_000,
  link_speed: 1_000_000_000,
  used_bytes: 5_368_709_120,
  bytes_up: 1_048_576,
  bytes_down: 52_428_800,
  period: "P1M",
  host: "vpn.example.org",
  listen: "::",
  port: 443,
  network: "tcp",
  geo: "DE",
  purpose: "streaming",
  server_name: "www.example.com",
  handshake_host: "www.example.com",
  handshake_port: 443,
  public_key: "Zm9yIHRoZSBkb2N1bWVudCBvbmx5LCBub3QgYSBrZXk",
  short_id: "5f1d2c4e",
  certificate_path: "/etc/ssl/vpn.pem",
  key_path: "/etc/ssl/vpn.key",
  pem: "-----BEGIN CERTIFICATE-----\nMIIBZXhhbXBsZQ==\n-----END CERTIFICATE-----\n",
  config_path: `/s/${id}`,
  traffic_multiplier: 1000,
  state: "active",
  role: "operator",
  action: "subscription.suspend",
  target_type: "subscription",
  agent_version: "1.0.0",
  plane_version: "1.12.12",
  generation: "5f1d2c4e3a8b7cc35a7e01994a40c0de",
  digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  detail: "What happened, in words",
  retry_after: 1,
  days: 30
}

/** Fields whose example is null where it may be, for nothing has happened yet. */
const untouched = new Set([
  "over_limit_until",
  "revoked_at",
  "deleted_at",
  "last_error",
  "next_cursor",
  "certificate_path",
  "key_path",
  "certificate",
  "acting_for"
])

const yes = new Set(["active", "is_active", "is_servable", "converged", "tls"])

const fits = (schema: JsonSchema, value: unknown): boolean => {
  if (schema.enum !== undefined) return schema.enum.includes(value)
  if (schema.type === "integer" || schema.type === "number")
    return typeof value === "number" && value >= (schema.minimum ?? Number.NEGATIVE_INFINITY)
  return schema.type === "string" && typeof value === "string" && new RegExp(schema.pattern ?? "").test(value)
}

const text = ({ format, minLength = 0, pattern = "" }: JsonSchema): string => {
  if (format === "uuid") return id
  if (format === "date-time") return "2026-01-31T00:00:00.000Z"
  if (format === "duration") return "P1M"
  for (const known of [id, "text", "12", "1.0.0", "p2s7yT0c0rXn1mS6bW8kq3ZdL5vJ9aEf", named["digest"] as string, ""])
    if (known.length >= minLength && new RegExp(pattern).test(known)) return known
  return "text"
}

/** All of `allOf` in one. */
const merged = ({ allOf = [], ...schema }: JsonSchema): JsonSchema => Object.assign({}, schema, ...allOf)

/** Makes a value that the schema accepts. */
export const of = (schema: JsonSchema, components: Components, name = "", depth = 0): unknown => {
  if (schema.$ref !== undefined) return of(components[schema.$ref.split("/").at(-1)!]!, components, name, depth)
  if (schema.example !== undefined) return schema.example
  if (schema.examples !== undefined) return schema.examples[0]
  if (schema.const !== undefined) return schema.const
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) {
    const nothing = choices.some(({ type }) => type === "null")
    if (nothing && (untouched.has(name) || depth > 6)) return null
    const values = choices.filter(({ type }) => type !== "null")
    return of(values.find((each) => fits(merged(each), named[name])) ?? values[0] ?? {}, components, name, depth)
  }
  const whole = merged(schema)
  if (name in named && fits(whole, named[name])) return named[name]
  if (whole.enum !== undefined) return whole.enum[0]
  switch (whole.type) {
    case "object":
      return Object.fromEntries(
        Object.entries(whole.properties ?? {}).map(([key, field]) => [key, of(field, components, key, depth + 1)])
      )
    case "array":
      return (whole.prefixItems ?? (whole.items === undefined || depth > 6 ? [] : [whole.items])).map((item) =>
        of(item, components, name.replace(/s$/, ""), depth + 1)
      )
    case "string":
      return text(whole)
    case "integer":
    case "number":
      return Math.max(1, whole.minimum ?? 1)
    case "boolean":
      return yes.has(name)
    case "null":
      return null
    default:
      return {}
  }
}
