/** The port to nodes, their tokens and their inbounds. */
import { Context, type Effect } from "effect"
import type { Page } from "./AuditLog.ts"
import type { Inbound, InboundFilter } from "./Inbound.ts"
import type { Instant } from "./Instant.ts"
import type { Node, NodeFilter, NodeHealth, NodeToken } from "./Node.ts"
import type { StoreError } from "./Transaction.ts"

export class InventoryStore extends Context.Service<
  InventoryStore,
  {
    readonly insertNode: (node: Node) => Effect.Effect<void, StoreError>
    readonly updateNode: (node: Node) => Effect.Effect<void, StoreError>
    /** A node that was not deleted. */
    readonly node: (id: string) => Effect.Effect<Node | null, StoreError>
    /** The same, locked until the transaction ends: nobody deletes it, gives it an inbound or a token meanwhile. */
    readonly lockNode: (id: string) => Effect.Effect<Node | null, StoreError>
    /** By id, ascending; `now` decides who is active. */
    readonly listNodes: (filter: NodeFilter, page: Page, now: Instant) => Effect.Effect<ReadonlyArray<Node>, StoreError>
    /**
     * Ends a node and revokes its tokens. Its row stays as a tombstone that nothing here answers any more: usage,
     * reports and the audit trail name it.
     */
    readonly deleteNode: (id: string, at: Instant) => Effect.Effect<void, StoreError>
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
     * `AlreadyExists` (`port`) when another inbound of the node has the port on the same transport and the same listen
     * address; what overlaps otherwise is `Listen.inTheWay`'s to find, under `lockNode`.
     */
    readonly insertInbound: (inbound: Inbound) => Effect.Effect<number, StoreError>
    /** Replaces the row (not `ref`, not `nodeId`); the same `AlreadyExists`. */
    readonly updateInbound: (inbound: Inbound) => Effect.Effect<void, StoreError>
    /** Those of them that were not deleted. */
    readonly inbounds: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Inbound>, StoreError>
    /** The same, held against being deleted until the transaction ends: for whoever links to them. */
    readonly holdInbounds: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Inbound>, StoreError>
    /** A node's inbounds on a port. */
    readonly inboundsOnPort: (nodeId: string, port: number) => Effect.Effect<ReadonlyArray<Inbound>, StoreError>
    /** By id, ascending. */
    readonly listInbounds: (filter: InboundFilter, page: Page) => Effect.Effect<ReadonlyArray<Inbound>, StoreError>
    /** Locks an inbound against reports that would add to it, until the transaction ends. */
    readonly lockInbound: (id: string) => Effect.Effect<Inbound | null, StoreError>
    /**
     * Ends an inbound: unlinks every subscription, erases its keys, and answers the ids of those it unlinked. The row
     * stays as a tombstone, by which late bytes are counted and history is read.
     */
    readonly deleteInbound: (id: string, at: Instant) => Effect.Effect<ReadonlyArray<string>, StoreError>
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
