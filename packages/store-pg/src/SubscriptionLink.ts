/**
 * A subscription's link as it is stored: whoever knows it may fetch a config, so a stolen dump must not tell it. It is
 * looked up by its SHA-256 and lies sealed for its own row. A link that is still the id is not stored a second time.
 */
import type { Subscription, Vault } from "@vpnmgr/core"
import { Effect } from "effect"
import { createHash } from "node:crypto"

/** A subscription as the columns of `subscription s` read it: its link sealed, base64; null while it is the id. */
export interface SubscriptionRow extends Omit<Subscription.Subscription, "link"> {
  readonly link: string | null
}

/** The column of a link, as a row holds it. */
export const linkColumn = `encode(s.link, 'base64') AS link`

/** What a link is looked up by. */
export const hashOf = (link: string): Uint8Array => new Uint8Array(createHash("sha256").update(link).digest())

const place = (id: string): string => `subscription|link|${id}`

/** Makes what seals and opens links with a vault. */
export const make = (vault: Vault.Vault["Service"]) => ({
  /** Null for a link that is the id. */
  seal: ({ id, link }: Pick<Subscription.Subscription, "id" | "link">): Effect.Effect<Uint8Array | null> =>
    link === id ? Effect.succeed(null) : vault.seal(place(id), new TextEncoder().encode(link)),
  open: <Row extends SubscriptionRow>(row: Row): Effect.Effect<Omit<Row, "link"> & { readonly link: string }> =>
    row.link === null
      ? Effect.succeed({ ...row, link: row.id })
      : vault.open(place(row.id), new Uint8Array(Buffer.from(row.link, "base64"))).pipe(
          Effect.map((bytes) => ({ ...row, link: new TextDecoder().decode(bytes) })),
          Effect.orDie
        )
})
