/** What a client's config is made of: where it may connect, and how it signs in there. */
import type { Access } from "./Credential.ts"
import type { Inbound } from "./Inbound.ts"

/** One way in. */
export interface ClientEntry {
  readonly inbound: Inbound
  readonly access: Access
}

/** A subscription as a config shows it. */
export interface ClientProfile {
  /** Shown to the person; anything they or the operator typed. */
  readonly title: string
  readonly entries: ReadonlyArray<ClientEntry>
}
