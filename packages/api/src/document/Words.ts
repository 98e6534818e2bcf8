/** What the OpenAPI document says of parameters and fields whose schema does not say it: what they name, and the unit. */
import type { JsonSchema } from "./Samples.ts"

/** Numbers in an address are text to the decoder; to whoever writes one they are whole numbers with bounds. */
const numbers: Readonly<Record<string, object>> = {
  limit: { minimum: 1, maximum: 200, default: 50 },
  revision: { minimum: 0 },
  wait: { minimum: 0, maximum: 60 }
}

const parameters: Readonly<Record<string, string>> = {
  id: "the id of the thing, a lower-case UUID",
  inbound_id: "an inbound's id",
  node_id: "a node's id",
  subscription_id: "a subscription's id",
  auth_token_id: "the id of the node token it was reported under",
  actor_id: "who did it, by the user's id",
  target_id: "what it was done to, by its id",
  target_type: "the kind of thing it was done to, such as subscription",
  limit: "items in the answer, 1 to 200",
  search: "what title, description or id contain, whatever the case",
  role: "superuser or operator",
  is_disabled: "whether they are disabled",
  state: "the state it is in",
  by: "what usage is added up by; without it, the pieces that are kept",
  from: "from this instant on",
  to: "before this instant",
  expires_before: "those that expire before this instant",
  geo: "where the node is",
  purpose: "what the node is for",
  active: "whether it reports",
  is_active: "whether it is switched on",
  protocol: "the protocol it speaks",
  reason: "why it was not counted",
  generation: "the generation of the state the agent has",
  revision: "the revision of the state the agent has",
  wait: "seconds to wait for a change, at most 60"
}

const fields: Readonly<Record<string, string>> = {
  retry_after: "seconds",
  max_traffic: "bytes in a window; null = unlimited",
  max_speed: "bit/s; null = unlimited",
  link_speed: "bit/s",
  bytes_up: "bytes from clients",
  bytes_down: "bytes to clients",
  used_bytes: "bytes drawn from the limit, rounded up",
  traffic_multiplier: "thousandths: 1000 counts every byte once",
  port: "TCP or UDP port"
}

/** Whether a schema, or a part of it, describes itself. */
const describes = (schema: unknown): boolean => JSON.stringify(schema).includes('"description":')

const descriptionIn = (schema: JsonSchema & { readonly description?: string }): string | undefined =>
  schema.description ?? schema.allOf?.map(descriptionIn).find((each) => each !== undefined)

interface Parameter {
  readonly name: string
  description?: string
  schema: JsonSchema
}

/** Says what a parameter names, and that a number is one. */
export const parameter = (found: Parameter): void => {
  const words = found.description ?? descriptionIn(found.schema) ?? parameters[found.name]
  if (words !== undefined) found.description = words
  const bounds = numbers[found.name]
  if (bounds !== undefined) found.schema = { type: "integer", ...bounds }
}

/** Goes through a schema and all within it: units where none is said, and `const` for what can be one value only. */
export const complete = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return
  if ("enum" in value && Array.isArray(value.enum) && value.enum.length === 1)
    Object.assign(value, { const: value.enum[0] })
  if ("properties" in value && typeof value.properties === "object")
    for (const [name, schema] of Object.entries(value.properties ?? {}))
      if (name in fields && !describes(schema)) Object.assign(schema as object, { description: fields[name] })
  for (const child of Object.values(value)) complete(child)
}
