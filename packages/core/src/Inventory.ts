/** Nodes and their tokens, and what nodes say they serve. Changes are for superusers; operators see no node. */
import { Context, Effect, Layer, type Schema } from "effect"
import { sha256 } from "@noble/hashes/sha2.js"
import { SecureRandom } from "effect/crypto"
import { Base64Url, Hex } from "effect/encoding"
import { Actor } from "./Actor.ts"
import * as Audit from "./Audit.ts"
import type { Page } from "./AuditLog.ts"
import type { AppliedReport } from "./Convergence.ts"
import { Forbidden, Invalid, NotFound, type Stale } from "./Failure.ts"
import * as Id from "./Id.ts"
import * as Instant from "./Instant.ts"
import { InventoryStore } from "./InventoryStore.ts"
import type { Node, NodeFilter, NodeHealth, NodePatch, NodeToken } from "./Node.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import * as Precondition from "./Precondition.ts"
import type { StoreError } from "./Transaction.ts"
import { Transaction } from "./Transaction.ts"

export type NodeDraft = Pick<Node, "description" | "geo" | "purpose" | "linkSpeed">

export interface NodeStanding {
  readonly node: Node
  readonly health: NodeHealth
}

export type Failure = NotFound | Forbidden | Invalid | StoreError
type Answer<A> = Effect.Effect<A, Failure, Actor>
/** A change of something that is there: it may have become another version. */
type Changed<A> = Effect.Effect<A, Failure | Stale, Actor>

/** SHA-256 (hex) of a node key: all that is stored of it. */
export const keyHash = (key: string): string => Hex.encode(sha256(new TextEncoder().encode(key)))

/** What an audit record shows of a node, in wire names. */
const shown = ({ description, geo, purpose, linkSpeed }: NodeDraft): Record<string, Schema.Json> => ({
  description,
  geo,
  purpose,
  link_speed: linkSpeed === null ? null : String(linkSpeed)
})

export class Inventory extends Context.Service<
  Inventory,
  {
    readonly createNode: (draft: NodeDraft) => Answer<NodeStanding>
    readonly getNode: (id: string) => Answer<NodeStanding>
    /** By id, ascending. */
    readonly listNodes: (filter: NodeFilter, page: Page) => Answer<ReadonlyArray<NodeStanding>>
    readonly changeNode: (id: string, patch: NodePatch) => Changed<NodeStanding>
    /**
     * Ends a node that has no inbounds; its tokens are revoked at once. What its agent counted and did not report yet
     * is refused from then on.
     */
    readonly removeNode: (id: string) => Changed<void>
    /** Makes a token; its 32-character key is answered here and never again. */
    readonly createToken: (nodeId: string) => Answer<{ readonly token: NodeToken; readonly key: string }>
    readonly getToken: (id: string) => Answer<NodeToken>
    readonly listTokens: (nodeId: string) => Answer<ReadonlyArray<NodeToken>>
    /** Refuses the key from then on, and ends a poll that waits with it. */
    readonly revokeToken: (id: string) => Answer<NodeToken>
    /** The node a key belongs to; null for an unknown or revoked one. */
    readonly signIn: (key: string) => Effect.Effect<NodeToken | null, StoreError>
    /** Takes a node's word on what it serves, the certificates it made, and the protocol version it speaks. */
    readonly applied: (
      nodeId: string,
      report: AppliedReport,
      protocolVersion: string | null
    ) => Effect.Effect<void, StoreError>
  }
>()("@vpnmgr/core/Inventory") {
  static readonly layer = Layer.effect(
    Inventory,
    Effect.gen(function* () {
      const transaction = yield* Transaction
      const store = yield* InventoryStore
      const nodeStates = yield* NodeStateStore
      const random = yield* SecureRandom.SecureRandom
      const context = yield* Effect.context<Audit.Needs>()

      const onlySuperuser = Effect.gen(function* () {
        const actor = yield* Actor
        if (actor.role !== "superuser") return yield* new Forbidden({ detail: "Only a superuser may do this" })
      })
      const asSuperuser = <A, E extends Failure | Stale>(
        effect: Effect.Effect<A, E, Actor | Audit.Needs>
      ): Effect.Effect<A, Failure | E, Actor> =>
        Effect.andThen(onlySuperuser, transaction.run(effect)).pipe(Effect.provide(context))

      const existingNode = Effect.fnUntraced(function* (id: string) {
        const node = yield* store.node(id)
        return node ?? (yield* new NotFound({ noun: "node", id }))
      })
      const lockedNode = Effect.fnUntraced(function* (id: string) {
        const node = yield* store.lockNode(id)
        return node ?? (yield* new NotFound({ noun: "node", id }))
      })
      const existingToken = Effect.fnUntraced(function* (id: string) {
        const token = yield* store.token(id)
        return token ?? (yield* new NotFound({ noun: "node_token", id }))
      })
      const withHealth = Effect.fnUntraced(function* (nodes: ReadonlyArray<Node>) {
        const health = yield* store.health(
          nodes.map(({ id }) => id),
          yield* Instant.now
        )
        return nodes.map((node) => ({ node, health: health.get(node.id)! }))
      })
      const standing = (node: Node) => Effect.map(withHealth([node]), ([first]) => first!)

      const createNode = Effect.fnUntraced(function* (draft: NodeDraft) {
        const now = yield* Instant.now
        const node: Node = { ...draft, id: yield* Id.make, createdAt: now, updatedAt: now }
        yield* store.insertNode(node)
        yield* Audit.record({ action: "node.create", targetType: "node", targetId: node.id, meta: shown(draft) })
        return node
      })

      const changeNode = Effect.fnUntraced(function* (id: string, patch: NodePatch) {
        const before = yield* lockedNode(id)
        yield* Precondition.holds(before.updatedAt)
        const updatedAt = Precondition.next(before.updatedAt, yield* Instant.now)
        const after: Node = { ...before, ...patch, updatedAt }
        yield* store.updateNode(after)
        const meta = Audit.difference(shown(before), shown(after))
        yield* Audit.record({ action: "node.change", targetType: "node", targetId: id, meta })
        return after
      })

      const removeNode = Effect.fnUntraced(function* (id: string) {
        const before = yield* lockedNode(id)
        yield* Precondition.holds(before.updatedAt)
        const [inbound] = yield* store.listInbounds({ nodeId: id }, { after: null, limit: 1 })
        if (inbound !== undefined)
          return yield* new Invalid({ field: "id", detail: "The node has inbounds: delete them first" })
        yield* store.deleteNode(id, yield* Instant.now)
        yield* nodeStates.wake(id)
        yield* Audit.record({ action: "node.delete", targetType: "node", targetId: id, meta: shown(before) })
      })

      const createToken = Effect.fnUntraced(function* (nodeId: string) {
        yield* lockedNode(nodeId)
        const key = Base64Url.encode(yield* random.randomBytes(24))
        const token: NodeToken = { id: yield* Id.make, nodeId, createdAt: yield* Instant.now, revokedAt: null }
        yield* store.insertToken(token, keyHash(key))
        yield* Audit.record({
          action: "node_token.create",
          targetType: "node_token",
          targetId: token.id,
          meta: { node_id: nodeId }
        })
        return { token, key }
      })

      const revokeToken = Effect.fnUntraced(function* (id: string) {
        const token = yield* existingToken(id)
        if (token.revokedAt !== null) return token
        const revokedAt = yield* Instant.now
        yield* store.revokeToken(id, revokedAt)
        yield* nodeStates.wake(token.nodeId)
        yield* Audit.record({
          action: "node_token.revoke",
          targetType: "node_token",
          targetId: id,
          meta: { node_id: token.nodeId }
        })
        return { ...token, revokedAt }
      })

      const applied = Effect.fnUntraced(function* (nodeId: string, report: AppliedReport, version: string | null) {
        yield* nodeStates.recordApplied(nodeId, report, version, yield* Instant.now)
        if (report.certificates.length > 0) yield* store.storeCertificates(nodeId, report.certificates)
      })

      return Inventory.of({
        createNode: (draft) => asSuperuser(Effect.flatMap(createNode(draft), standing)),
        getNode: (id) => Effect.andThen(onlySuperuser, Effect.flatMap(existingNode(id), standing)),
        listNodes: (filter, page) =>
          Effect.andThen(
            onlySuperuser,
            Effect.flatMap(Instant.now, (now) => Effect.flatMap(store.listNodes(filter, page, now), withHealth))
          ),
        changeNode: (id, patch) => asSuperuser(Effect.flatMap(changeNode(id, patch), standing)),
        removeNode: (id) => asSuperuser(removeNode(id)),
        createToken: (nodeId) => asSuperuser(createToken(nodeId)),
        getToken: (id) => Effect.andThen(onlySuperuser, existingToken(id)),
        listTokens: (nodeId) =>
          Effect.andThen(onlySuperuser, Effect.andThen(existingNode(nodeId), store.tokensOf(nodeId))),
        revokeToken: (id) => asSuperuser(revokeToken(id)),
        signIn: (key) =>
          Effect.map(store.tokenByHash(keyHash(key)), (token) =>
            token === null || token.revokedAt !== null ? null : token
          ),
        applied: (nodeId, report, version) => transaction.run(applied(nodeId, report, version))
      })
    })
  )
}
