/** Inbounds as rows: their settings hold private keys and lie sealed, each for its own row. */
import type { Vault } from "@vpnmgr/core"
import { Inbound } from "@vpnmgr/core"
import { Effect, Schema } from "effect"
import { millis } from "./Column.ts"

/** An inbound as `inboundColumns` reads it. */
export interface InboundRow extends Omit<Inbound.Inbound, "settings"> {
  /** Sealed, base64. */
  readonly settings: string
  /** Another with every change of any inbound: a number of a sequence, so that no two states ever share one. */
  readonly version: bigint | number
}

/** The columns of `inbound i`, the same in a result and in JSON. */
export const inboundColumns = `i.id, i.ref, i.version, i.node_id AS "nodeId", i.host, i.port, i.listen, i.protocol, i.network, i.tls, i.geo,
  i.purpose, i.is_active AS "isActive", i.traffic_multiplier AS "trafficMultiplier",
  encode(i.settings, 'base64') AS settings, i.certificate, ${millis("i.created_at")} AS "createdAt",
  ${millis("i.updated_at")} AS "updatedAt"`

const place = (id: string) => `inbound|settings|${id}`

const json = Schema.fromJsonString(Inbound.InboundSettings)
const decode = Schema.decodeUnknownEffect(json)
const encode = Schema.encodeEffect(json)

/** Inbounds kept open, the newest last; the same few are read with every config. */
const keptOpen = 10_000

/** What keeps the newest values only. */
const keeping = <K, V>() => {
  const kept = new Map<K, V>()
  return {
    get: (key: K): V | undefined => kept.get(key),
    keep: (key: K, value: V): V => {
      if (kept.size >= keptOpen) kept.delete(kept.keys().next().value!)
      kept.set(key, value)
      return value
    }
  }
}

/** Makes what seals and opens settings with a vault. What was opened is kept by the version of its row. */
export const make = (vault: Vault.Vault["Service"]) => {
  const kept = keeping<bigint, Inbound.Inbound>()

  const settingsOf = ({
    id,
    settings: sealed
  }: Pick<InboundRow, "id" | "settings">): Effect.Effect<Inbound.InboundSettings> =>
    vault.open(place(id), new Uint8Array(Buffer.from(sealed, "base64"))).pipe(
      Effect.flatMap((bytes) => decode(new TextDecoder().decode(bytes))),
      Effect.orDie
    )

  const open = ({ version: given, ...row }: InboundRow): Effect.Effect<Inbound.Inbound> => {
    const version = BigInt(given)
    const known = kept.get(version)
    return known !== undefined
      ? Effect.succeed(known)
      : Effect.map(settingsOf(row), (settings) => kept.keep(version, { ...row, settings }))
  }

  return {
    seal: ({ id, settings }: Inbound.Inbound): Effect.Effect<Uint8Array> =>
      Effect.flatMap(Effect.orDie(encode(settings)), (text) => vault.seal(place(id), new TextEncoder().encode(text))),
    open,
    /** The inbound at a version, where it was opened before. */
    known: (version: bigint): Inbound.Inbound | undefined => kept.get(version)
  }
}
