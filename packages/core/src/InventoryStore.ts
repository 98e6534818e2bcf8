/** The port to nodes, their tokens and their inbounds. */
import { Context, type Effect } from "effect"
import type { Page } from "./AuditLog.ts"
import type { Inbound } from "./Inbound.ts"
import type { Instant } from "./Instant.ts"
import type { Node, NodeHealth, NodeToken } from "./Node.ts"
import type { StoreError } from "./Transaction.ts"

export class InventoryStore extends Context.Service<
  InventoryStore,
  {
    readonly insertNode: (node: Node) => Effect.Effect<void, StoreError>
    readonly updateNode: (node: Node) => Effect.Effect<void, StoreError>
    readonly node: (id: string) => Effect.Effect<Node | null, StoreError>
    /** By id, ascending. */
    readonly listNodes: (page: Page) => Effect.Effect<ReadonlyArray<Node>, StoreError>
    /** Health of each node named; `now` decides who is active. */
    readonly health: (
      nodeIds: ReadonlyArray<string>,
      now: Instant
    ) => Effect.Effect<ReadonlyMap<string, NodeHealth>, StoreError>
    /** Keeps the SHA-256 (hex) of the key, never the key. */
    readonly insertToken: (token: NodeToken, keyHash: string) => Effect.Effect<void, StoreError>
    /** The token with this key's hash, revoked or not. */
    readonly tokenByHash: (keyHash: string) => Effect.Effect<NodeToken | null, StoreError>
    readonly token: (id: string) => Effect.Effect<NodeToken | null, StoreError>
    readonly tokensOf: (nodeId: string) => Effect.Effect<ReadonlyArray<NodeToken>, StoreError>
    readonly revokeToken: (id: string, at: Instant) => Effect.Effect<void, StoreError>
    /**
     * Stores an inbound and answers its `ref`, the next number never used before; the given `ref` is ignored. Fails with
     * `AlreadyExists` (`port`) when another inbound of the node has the port on the same transport.
     */
    readonly insertInbound: (inbound: Inbound) => Effect.Effect<number, StoreError>
    /** Replaces the row (not `ref`, not `nodeId`); the same `AlreadyExists`. */
    readonly updateInbound: (inbound: Inbound) => Effect.Effect<void, StoreError>
    readonly inbounds: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Inbound>, StoreError>
    /** By id, ascending; all nodes' when null. */
    readonly listInbounds: (nodeId: string | null, page: Page) => Effect.Effect<ReadonlyArray<Inbound>, StoreError>
    /** Locks an inbound against reports that would add to it, until the transaction ends. */
    readonly lockInbound: (id: string) => Effect.Effect<Inbound | null, StoreError>
    /** Remembers which multiplier (thousandths) holds for intervals that end after `since`. */
    readonly recordMultiplier: (
      inboundId: string,
      multiplier: number,
      since: Instant
    ) => Effect.Effect<void, StoreError>
    /** Stores PEMs by inbound `ref` for inbounds of the node; answers the ids whose PEM changed. */
    readonly storeCertificates: (
      nodeId: string,
      certificates: ReadonlyArray<{ readonly inbound: number; readonly pem: string }>
    ) => Effect.Effect<ReadonlyArray<string>, StoreError>
  }
>()("@vpnmgr/core/InventoryStore") {}
