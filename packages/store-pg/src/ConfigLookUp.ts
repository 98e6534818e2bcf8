/**
 * What `/s/{link}` needs, for many links in one statement: a probe of each index it takes and nothing that is made anew.
 * Inbounds, which many subscriptions share, are named by their versions and opened once.
 */
import type { Inbound, SubscriptionStore, Vault } from "@vpnmgr/core"
import { Transaction } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { millis } from "./Column.ts"
import { stored } from "./Failure.ts"
import type { InboundRow } from "./InboundRow.ts"
import { inboundColumns, make as makeInboundRow } from "./InboundRow.ts"
import { place } from "./PgCredentialStore.ts"
import { hashOf } from "./SubscriptionLink.ts"

type Facts = SubscriptionStore.ConfigFacts

interface Row extends Omit<Facts, "credentialSecret" | "inbounds" | "up" | "down"> {
  /** The link's place among those asked for, from 1. */
  readonly place: number
  readonly credential: number
  readonly secret: Uint8Array
  readonly up: string
  readonly down: string
  /** Numbers by one client, bigints by the other. */
  readonly versions: ReadonlyArray<bigint | number>
}

/** How often links are looked up anew whose inbounds change while they are read. */
const tries = 5

const restless = new Transaction.StoreError({
  reason: new Transaction.StoreUnavailable({ detail: "the inbounds of a subscription changed while they were read" })
})

const byId = (a: Inbound.Inbound, b: Inbound.Inbound) => (a.id < b.id ? -1 : 1)

/** Makes the look-up over a client. */
export const make = (sql: SqlClient.SqlClient, vault: Vault.Vault["Service"]) => {
  const inboundRow = makeInboundRow(vault)

  const rowsOf = (links: ReadonlyArray<string>) => sql<Row>`
    SELECT asked.place::int AS place, s.id, s.owner_id AS "ownerId", s.title,
      ${sql.literal(millis("s.expires_at"))} AS "expiresAt", s.is_suspended AS "isSuspended", s.credential, c.secret,
      own.max_traffic AS "maxTraffic", own.bytes_up AS up, own.bytes_down AS down,
      ${sql.literal(millis("own.window_end"))} AS "windowEnd",
      ${sql.literal(millis("own.exhausted_until"))} AS "ownExhaustedUntil",
      (SELECT ${sql.literal(millis("b.exhausted_until"))} FROM bucket b
        WHERE b.id = s.owner_id AND b.kind = 'owner') AS "ownerExhaustedUntil",
      ARRAY(SELECT i.version FROM subscription_inbound l JOIN inbound i ON i.id = l.inbound_id
        WHERE l.subscription_id = s.id AND l.unlinked_at IS NULL) AS versions
    FROM unnest(${links.map(hashOf)}::bytea[]) WITH ORDINALITY AS asked (hash, place)
    JOIN subscription s ON s.link_hash = asked.hash AND s.deleted_at IS NULL
    JOIN credential c ON c.ref = s.credential AND c.secret IS NOT NULL
    JOIN bucket own ON own.id = s.id AND own.kind = 'subscription'`

  /** Inbounds at these versions, by version; those whose row is another by now are left out. */
  const inboundsAt = Effect.fnUntraced(function* (versions: ReadonlySet<bigint>) {
    const found = new Map<bigint, Inbound.Inbound>()
    const unknown: Array<bigint> = []
    for (const version of versions) {
      const known = inboundRow.known(version)
      if (known === undefined) unknown.push(version)
      else found.set(version, known)
    }
    if (unknown.length === 0) return found
    const rows = yield* stored(sql<InboundRow>`SELECT ${sql.literal(inboundColumns)} FROM inbound i
      WHERE i.version = ANY(${unknown}::bigint[])`)
    for (const row of rows) found.set(BigInt(row.version), yield* inboundRow.open(row))
    return found
  })

  const lookUp = (
    links: ReadonlyArray<string>,
    left: number
  ): Effect.Effect<ReadonlyArray<Facts | null>, Transaction.StoreError> =>
    Effect.gen(function* () {
      const rows = yield* stored(rowsOf(links))
      const versions = new Set(rows.flatMap((row) => row.versions.map(BigInt)))
      const inbounds = yield* inboundsAt(versions)
      if (inbounds.size < versions.size) return yield* left === 0 ? Effect.fail(restless) : lookUp(links, left - 1)
      const found = links.map((): Facts | null => null)
      for (const { credential, down, place: nth, secret, up, versions, ...row } of rows)
        found[nth - 1] = {
          ...row,
          credentialSecret: yield* Effect.orDie(vault.open(place(credential), secret)),
          up: BigInt(up),
          down: BigInt(down),
          inbounds: versions.map((version) => inbounds.get(BigInt(version))!).sort(byId)
        }
      return found
    })

  return (links: ReadonlyArray<string>) => lookUp(links, tries)
}
