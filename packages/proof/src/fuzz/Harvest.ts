/** Gathers what must be found nowhere: out of every request and every answer that passes by, by the name of its field. */
import type { Exchange } from "./Proxy.ts"

export interface Harvest {
  /** What a secret is, by the secret. */
  readonly secrets: Map<string, string>
  /** What was also sent where anything may stand: a fuzzer likes to send the same text in many places. */
  readonly ordinary: Set<string>
  /** Of it, what was in requests: a fuzzer also makes one text of others. */
  readonly sent: Set<string>
}

/** With nothing in it yet. */
export const make = (): Harvest => ({ secrets: new Map(), ordinary: new Set(), sent: new Set() })

/** Fields of bodies that hold a secret, wherever they are. */
const secretFields = /password|secret|^key$|private_key|^token$|^psk$|^uuid$|server_key|user_key/

/** Long and varied enough that finding it means something. */
const isTelling = (text: string) => text.length >= 12 && new Set(text).size >= 8

/** Walks a body; `where` names the route in what it finds. */
export const fromBody = (harvest: Harvest, where: string, value: unknown, name = ""): void => {
  if (typeof value === "string") {
    if (!isTelling(value)) return
    if (secretFields.test(name)) harvest.secrets.set(value, `${name} of ${where}`)
    else harvest.ordinary.add(value)
  } else if (Array.isArray(value)) for (const child of value) fromBody(harvest, where, child, name)
  else if (typeof value === "object" && value !== null)
    for (const [key, child] of Object.entries(value)) fromBody(harvest, where, child, key)
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

/** The examples of the OpenAPI document are everybody's, and a fuzzer sends them. */
const fromDocument = (ordinary: Harvest["ordinary"], value: unknown): void => {
  if (typeof value === "string") ordinary.add(value)
  else if (typeof value === "object" && value !== null)
    for (const child of Object.values(value)) fromDocument(ordinary, child)
}

/** Takes what one exchange shows: fields, bearer tokens with their signatures, links. */
export const fromExchange = (harvest: Harvest, exchange: Exchange): void => {
  if (exchange.path === "/openapi.json") return fromDocument(harvest.ordinary, parsed(exchange.text))
  const { method, path, query, requestBody, requestHeaders, text } = exchange
  const { secrets } = harvest
  const where = `${method} ${path.replaceAll(uuid, ":id")}`
  const request: Harvest = { secrets, ordinary: harvest.sent, sent: harvest.sent }
  fromBody(request, where, parsed(requestBody))
  fromBody(harvest, where, parsed(text))
  for (const value of new URLSearchParams(query).values()) harvest.sent.add(value)
  const [scheme, token] = (requestHeaders.authorization ?? "").split(" ")
  if (scheme === "Bearer" && token !== undefined && isTelling(token)) {
    secrets.set(token, "a bearer token")
    const signature = token.split(".")[2]
    if (signature !== undefined && isTelling(signature)) secrets.set(signature, "the signature of a session token")
  }
  for (const [, link] of text.matchAll(/"config_path":"\/s\/([^"]+)"/g)) secrets.set(link!, "a link")
}

/**
 * What must be found nowhere. A fuzzer sends words it has met as passwords too, such as the name of a table, and puts
 * parts of them where anything may stand: what is a part of such a text, or of the database's `schema`, is no secret.
 */
export const secret = ({ ordinary, secrets, sent }: Harvest, schema: string): ReadonlyMap<string, string> => {
  const known = [schema, ...sent].join("\n")
  return new Map([...secrets].filter(([text]) => !ordinary.has(text) && !known.includes(text)))
}

/** A secret as it may be written: as it is, quoted, in a URL, as bytes in hex and in both kinds of base64. */
export const forms = (secret: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(secret, "utf8")
  const decoded = /^[A-Za-z0-9+/_-]{20,}={0,2}$/.test(secret) ? [Buffer.from(secret, "base64")] : []
  const compact = /^[0-9a-f-]{36}$/.test(secret) ? [secret.replaceAll("-", "")] : []
  const written = [bytes, ...decoded].flatMap((each) => [
    each.toString("hex"),
    each.toString("base64").replace(/=+$/, ""),
    each.toString("base64url")
  ])
  const all = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed()), ...written]
  return [...new Set([...all, ...compact])].filter((form) => form.length >= 12 && !/[\n\r\0]/.test(form))
}
