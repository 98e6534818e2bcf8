/** Inbounds as rows: their settings hold private keys and lie sealed, each for its own row. */
import type { Vault } from "@vpnmgr/core"
import { Inbound } from "@vpnmgr/core"
import { Effect, Schema } from "effect"
import { millis } from "./Column.ts"

/** An inbound as `inboundColumns` reads it. */
export interface InboundRow extends Omit<Inbound.Inbound, "settings"> {
  /** Sealed, base64. */
  readonly settings: string
}

/** The columns of `inbound i`, the same in a result and in JSON. */
export const inboundColumns = `i.id, i.ref, i.node_id AS "nodeId", i.host, i.port, i.listen, i.protocol, i.network, i.tls, i.geo,
  i.purpose, i.is_active AS "isActive", i.traffic_multiplier AS "trafficMultiplier",
  encode(i.settings, 'base64') AS settings, i.certificate, ${millis("i.created_at")} AS "createdAt",
  ${millis("i.updated_at")} AS "updatedAt"`

const place = (id: string) => `inbound|settings|${id}`

const json = Schema.fromJsonString(Inbound.InboundSettings)
const decode = Schema.decodeUnknownEffect(json)
const encode = Schema.encodeEffect(json)

/** Settings kept open, newest last; the same few inbounds are read with every config. */
const keptOpen = 1000

/** Makes what seals and opens settings with a vault. What was opened is kept by its sealed form. */
export const make = (vault: Vault.Vault["Service"]) => {
  const open = new Map<string, Inbound.InboundSettings>()

  const remember = (sealed: string, settings: Inbound.InboundSettings) => {
    if (open.size >= keptOpen) open.delete(open.keys().next().value!)
    open.set(sealed, settings)
    return settings
  }

  const settingsOf = ({ id, settings: sealed }: InboundRow): Effect.Effect<Inbound.InboundSettings> => {
    const known = open.get(`${id}|${sealed}`)
    return known !== undefined
      ? Effect.succeed(known)
      : vault.open(place(id), new Uint8Array(Buffer.from(sealed, "base64"))).pipe(
          Effect.flatMap((bytes) => decode(new TextDecoder().decode(bytes))),
          Effect.map((settings) => remember(`${id}|${sealed}`, settings)),
          Effect.orDie
        )
  }

  return {
    seal: ({ id, settings }: Inbound.Inbound): Effect.Effect<Uint8Array> =>
      Effect.flatMap(Effect.orDie(encode(settings)), (text) => vault.seal(place(id), new TextEncoder().encode(text))),
    open: (row: InboundRow): Effect.Effect<Inbound.Inbound> =>
      Effect.map(settingsOf(row), (settings) => ({ ...row, settings }))
  }
}
