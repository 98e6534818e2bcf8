/** Nodes, their tokens and their inbounds, and what nodes say they serve. Changes are for superusers. */
import { Context, Effect, Layer, type Schema } from "effect"
import { sha256 } from "@noble/hashes/sha2.js"
import { SecureRandom } from "effect/crypto"
import { Base64Url, Hex } from "effect/encoding"
import { Actor } from "./Actor.ts"
import * as Audit from "./Audit.ts"
import type { AuditStore, Page } from "./AuditLog.ts"
import type { AppliedReport } from "./Convergence.ts"
import { Forbidden, Invalid, NotFound, type Stale } from "./Failure.ts"
import * as Id from "./Id.ts"
import type { Inbound } from "./Inbound.ts"
import { networkOf, plainMultiplier } from "./Inbound.ts"
import type { SettingsDraft } from "./InboundKeys.ts"
import * as InboundKeys from "./InboundKeys.ts"
import * as Instant from "./Instant.ts"
import { InventoryStore } from "./InventoryStore.ts"
import type { Node, NodeHealth, NodeToken } from "./Node.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import * as Precondition from "./Precondition.ts"
import type { StoreError } from "./Transaction.ts"
import { Transaction } from "./Transaction.ts"

export type NodeDraft = Pick<Node, "description" | "geo" | "purpose" | "linkSpeed">

export interface InboundDraft extends Pick<Inbound, "nodeId" | "host" | "port" | "geo" | "purpose"> {
  /** Default `::`, every address. */
  readonly listen?: string | undefined
  /** Thousandths; default 1000. */
  readonly trafficMultiplier?: number | undefined
  readonly settings: SettingsDraft
}

export type InboundPatch = {
  readonly [K in "host" | "port" | "listen" | "geo" | "purpose" | "isActive" | "trafficMultiplier"]?:
    | Inbound[K]
    | undefined
}

export interface NodeStanding {
  readonly node: Node
  readonly health: NodeHealth
}

export type Failure = NotFound | Forbidden | Invalid | StoreError
type Answer<A> = Effect.Effect<A, Failure, Actor>
/** A change of something that is there: it may have become another version. */
type Changed<A> = Effect.Effect<A, Failure | Stale, Actor>
type Needs = AuditStore | SecureRandom.SecureRandom

/** SHA-256 (hex) of a node key: all that is stored of it. */
export const keyHash = (key: string): string => Hex.encode(sha256(new TextEncoder().encode(key)))

export class Inventory extends Context.Service<
  Inventory,
  {
    readonly createNode: (draft: NodeDraft) => Answer<NodeStanding>
    readonly getNode: (id: string) => Answer<NodeStanding>
    readonly listNodes: (page: Page) => Answer<ReadonlyArray<NodeStanding>>
    /** Makes a token; its 32-character key is answered here and never again. */
    readonly createToken: (nodeId: string) => Answer<{ readonly token: NodeToken; readonly key: string }>
    readonly listTokens: (nodeId: string) => Answer<ReadonlyArray<NodeToken>>
    readonly revokeToken: (id: string) => Answer<NodeToken>
    readonly createInbound: (draft: InboundDraft) => Answer<Inbound>
    /** Operators see inbounds too: they link subscriptions to them. */
    readonly getInbound: (id: string) => Answer<Inbound>
    readonly listInbounds: (nodeId: string | null, page: Page) => Answer<ReadonlyArray<Inbound>>
    readonly changeInbound: (id: string, patch: InboundPatch) => Changed<Inbound>
    /** The node a key belongs to; null for an unknown or revoked one. */
    readonly signIn: (key: string) => Effect.Effect<NodeToken | null, StoreError>
    /** Takes a node's word on what it serves, and the certificates it made. */
    readonly applied: (nodeId: string, report: AppliedReport) => Effect.Effect<void, StoreError>
  }
>()("@vpnmgr/core/Inventory") {
  static readonly layer = Layer.effect(
    Inventory,
    Effect.gen(function* () {
      const transaction = yield* Transaction
      const store = yield* InventoryStore
      const nodeStates = yield* NodeStateStore
      const random = yield* SecureRandom.SecureRandom
      const context = yield* Effect.context<Needs>()

      const onlySuperuser = Effect.gen(function* () {
        const actor = yield* Actor
        if (actor.role !== "superuser") return yield* new Forbidden({ detail: "Only a superuser may do this" })
      })
      const asSuperuser = <A, E extends Failure | Stale>(
        effect: Effect.Effect<A, E, Actor | Needs>
      ): Effect.Effect<A, Failure | E, Actor> =>
        Effect.andThen(onlySuperuser, transaction.run(effect)).pipe(Effect.provide(context))

      const existingNode = Effect.fnUntraced(function* (id: string) {
        const node = yield* store.node(id)
        return node ?? (yield* new NotFound({ noun: "node", id }))
      })
      const existingInbound = Effect.fnUntraced(function* (id: string) {
        const [inbound] = yield* store.inbounds([id])
        return inbound ?? (yield* new NotFound({ noun: "inbound", id }))
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
        const { description, geo, purpose } = draft
        const meta = {
          description,
          geo,
          purpose,
          link_speed: draft.linkSpeed === null ? null : String(draft.linkSpeed)
        }
        yield* Audit.record({ action: "node.create", targetType: "node", targetId: node.id, meta })
        return node
      })

      const createToken = Effect.fnUntraced(function* (nodeId: string) {
        yield* existingNode(nodeId)
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
        const token = yield* store.token(id)
        if (token === null) return yield* new NotFound({ noun: "node_token", id })
        if (token.revokedAt !== null) return token
        const revokedAt = yield* Instant.now
        yield* store.revokeToken(id, revokedAt)
        yield* Audit.record({ action: "node_token.revoke", targetType: "node_token", targetId: id })
        return { ...token, revokedAt }
      })

      const shown = ({ settings: _, certificate: __, createdAt: ___, updatedAt: ____, ...fields }: Inbound) =>
        Object.fromEntries(Object.entries(fields)) as Record<string, Schema.Json>

      const createInbound = Effect.fnUntraced(function* (draft: InboundDraft) {
        if ((yield* store.node(draft.nodeId)) === null)
          return yield* new Invalid({ field: "node_id", detail: "There is no such node" })
        const now = yield* Instant.now
        const { protocol } = draft.settings
        const inbound: Inbound = {
          ...draft,
          id: yield* Id.make,
          ref: 0,
          listen: draft.listen ?? "::",
          protocol,
          network: networkOf(protocol),
          tls: InboundKeys.hasTls(protocol),
          isActive: true,
          trafficMultiplier: draft.trafficMultiplier ?? plainMultiplier,
          settings: yield* InboundKeys.complete(draft.settings),
          certificate: null,
          createdAt: now,
          updatedAt: now
        }
        const ref = yield* store.insertInbound(inbound)
        yield* store.recordMultiplier(inbound.id, inbound.trafficMultiplier, now)
        yield* nodeStates.markInbounds([inbound.id], { roster: true })
        yield* Audit.record({
          action: "inbound.create",
          targetType: "inbound",
          targetId: inbound.id,
          meta: shown(inbound)
        })
        return { ...inbound, ref }
      })

      const changeInbound = Effect.fnUntraced(function* (id: string, patch: InboundPatch) {
        const before = yield* store.lockInbound(id)
        if (before === null) return yield* new NotFound({ noun: "inbound", id })
        yield* Precondition.holds(before.updatedAt)
        const now = yield* Instant.now
        const updatedAt = Precondition.next(before.updatedAt, now)
        const after = { ...before, ...(patch as Partial<Inbound>), updatedAt }
        yield* store.updateInbound(after)
        if (after.trafficMultiplier !== before.trafficMultiplier)
          yield* store.recordMultiplier(id, after.trafficMultiplier, now)
        yield* nodeStates.markInbounds([id], { roster: false })
        const meta = Audit.difference(shown(before), shown(after))
        yield* Audit.record({ action: "inbound.change", targetType: "inbound", targetId: id, meta })
        return after
      })

      const applied = Effect.fnUntraced(function* (nodeId: string, report: AppliedReport) {
        yield* nodeStates.recordApplied(nodeId, report, yield* Instant.now)
        if (report.certificates.length > 0) yield* store.storeCertificates(nodeId, report.certificates)
      })

      return Inventory.of({
        createNode: (draft) => Effect.flatMap(asSuperuser(createNode(draft)), standing),
        getNode: (id) => Effect.andThen(onlySuperuser, Effect.flatMap(existingNode(id), standing)),
        listNodes: (page) => Effect.andThen(onlySuperuser, Effect.flatMap(store.listNodes(page), withHealth)),
        createToken: (nodeId) => asSuperuser(createToken(nodeId)),
        listTokens: (nodeId) =>
          Effect.andThen(onlySuperuser, Effect.andThen(existingNode(nodeId), store.tokensOf(nodeId))),
        revokeToken: (id) => asSuperuser(revokeToken(id)),
        createInbound: (draft) => asSuperuser(createInbound(draft)),
        getInbound: existingInbound,
        listInbounds: store.listInbounds,
        changeInbound: (id, patch) => asSuperuser(changeInbound(id, patch)),
        signIn: (key) =>
          Effect.map(store.tokenByHash(keyHash(key)), (token) =>
            token === null || token.revokedAt !== null ? null : token
          ),
        applied: (nodeId, report) => transaction.run(applied(nodeId, report))
      })
    })
  )
}
