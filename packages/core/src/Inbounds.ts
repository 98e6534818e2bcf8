/**
 * Inbounds: entry points on nodes, made, changed, given new keys and removed by superusers. Operators see those that
 * are active, for they link subscriptions to them.
 */
import { Context, Effect, Layer, type Schema } from "effect"
import { Actor } from "./Actor.ts"
import * as Audit from "./Audit.ts"
import type { Page } from "./AuditLog.ts"
import { Forbidden, Invalid, NotFound, type Stale } from "./Failure.ts"
import * as Id from "./Id.ts"
import type { Inbound, InboundFilter } from "./Inbound.ts"
import { networkOf, plainMultiplier } from "./Inbound.ts"
import type { SettingsDraft, SettingsPatch } from "./InboundDraft.ts"
import * as InboundDraft from "./InboundDraft.ts"
import * as InboundKeys from "./InboundKeys.ts"
import * as Instant from "./Instant.ts"
import { InventoryStore } from "./InventoryStore.ts"
import * as Listen from "./Listen.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import * as Precondition from "./Precondition.ts"
import { AlreadyExists, StoreError, Transaction } from "./Transaction.ts"
import * as Wire from "./Wire.ts"

export interface Draft extends Pick<Inbound, "nodeId" | "host" | "port" | "geo" | "purpose"> {
  /** Default `::`, every address. */
  readonly listen?: string | undefined
  /** Thousandths; default 1000. */
  readonly trafficMultiplier?: number | undefined
  readonly settings: SettingsDraft
}

type Changeable = "host" | "port" | "listen" | "geo" | "purpose" | "isActive" | "trafficMultiplier"

/** What is absent stays. */
export type Patch = { readonly [K in Changeable]?: Inbound[K] | undefined } & {
  readonly settings?: SettingsPatch | undefined
}

export interface Changed {
  readonly inbound: Inbound
  /** Configs that were fetched before do not open the inbound any more: their apps must fetch again. */
  readonly outdatesConfigs: boolean
}

export type Failure = NotFound | Forbidden | Invalid | StoreError
type Answer<A> = Effect.Effect<A, Failure, Actor>
/** A change of something that is there: it may have become another version. */
type Changing<A> = Effect.Effect<A, Failure | Stale, Actor>

/** What an audit record shows of an inbound, in wire names: nothing that opens it. */
const shown = (inbound: Inbound): Record<string, Schema.Json> => {
  const { settings, certificate: _, createdAt: __, updatedAt: ___, ...fields } = inbound
  const own = settings.protocol === "hysteria2" ? settings.tls : settings
  const {
    mode,
    protocol: _p,
    privateKey: _k,
    publicKey: _q,
    shortId: _s,
    serverKey: _v,
    ...chosen
  } = own as Record<string, Schema.Json>
  const tls = mode === undefined ? {} : { tlsMode: mode }
  return Object.fromEntries(
    Object.entries<Schema.Json>({ ...fields, ...chosen, ...tls }).map(([key, value]) => [Wire.snake(key), value])
  )
}

export class Inbounds extends Context.Service<
  Inbounds,
  {
    /** Makes an inbound with keys of its own. `AlreadyExists` (`port`) when another of the node stands in its way. */
    readonly create: (draft: Draft) => Answer<Inbound>
    /** Operators see the active ones. */
    readonly get: (id: string) => Answer<Inbound>
    /** By id, ascending. Operators see the active ones. */
    readonly list: (filter: InboundFilter, page: Page) => Answer<ReadonlyArray<Inbound>>
    /** Changes what is named; protocol and keys stay. */
    readonly change: (id: string, patch: Patch) => Changing<Changed>
    /**
     * Gives it new keys: a REALITY pair and short id, a Shadowsocks server key, an obfs password. Its node starts the
     * data plane again; apps are refused until they fetch their config again.
     */
    readonly rotateKeys: (id: string) => Changing<Changed>
    /** Removes it and unlinks every subscription. Bytes that its node reports later are counted all the same. */
    readonly remove: (id: string) => Changing<void>
  }
>()("@vpnmgr/core/Inbounds") {
  static readonly layer = Layer.effect(
    Inbounds,
    Effect.gen(function* () {
      const transaction = yield* Transaction
      const store = yield* InventoryStore
      const nodeStates = yield* NodeStateStore
      const context = yield* Effect.context<Audit.Needs>()

      const asSuperuser = <A, E extends Failure | Stale>(
        effect: Effect.Effect<A, E, Actor | Audit.Needs>
      ): Effect.Effect<A, Failure | E, Actor> =>
        Effect.gen(function* () {
          const actor = yield* Actor
          if (actor.role !== "superuser") return yield* new Forbidden({ detail: "Only a superuser may do this" })
          return yield* transaction.run(effect)
        }).pipe(Effect.provide(context))

      /** The inbound, locked, of the version the caller expects. */
      const locked = Effect.fnUntraced(function* (id: string) {
        const inbound = yield* store.lockInbound(id)
        if (inbound === null) return yield* new NotFound({ noun: "inbound", id })
        yield* Precondition.holds(inbound.updatedAt)
        return inbound
      })

      /** Locks the node, so that of two that would stand in each other's way only one comes. */
      const roomFor = Effect.fnUntraced(function* (inbound: Inbound) {
        if ((yield* store.lockNode(inbound.nodeId)) === null)
          return yield* new Invalid({ field: "node_id", detail: "There is no such node" })
        const others = yield* store.inboundsOnPort(inbound.nodeId, inbound.port)
        if (Listen.inTheWay(inbound, others) !== undefined)
          return yield* new StoreError({ reason: new AlreadyExists({ field: "port" }) })
      })

      const create = Effect.fnUntraced(function* (draft: Draft) {
        const objection = InboundDraft.objection(draft.settings)
        if (objection !== undefined) return yield* objection
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
        yield* roomFor(inbound)
        const ref = yield* store.insertInbound(inbound)
        yield* store.recordMultiplier(inbound.id, inbound.trafficMultiplier, now)
        yield* nodeStates.markInbounds([inbound.id], { roster: true })
        const meta = shown({ ...inbound, ref })
        yield* Audit.record({ action: "inbound.create", targetType: "inbound", targetId: inbound.id, meta })
        return { ...inbound, ref }
      })

      const replace = Effect.fnUntraced(function* (before: Inbound, after: Inbound, action: string) {
        yield* store.updateInbound(after)
        if (after.trafficMultiplier !== before.trafficMultiplier)
          yield* store.recordMultiplier(after.id, after.trafficMultiplier, after.updatedAt)
        yield* nodeStates.markInbounds([after.id], { roster: false })
        const meta = Audit.difference(shown(before), shown(after))
        yield* Audit.record({ action, targetType: "inbound", targetId: after.id, meta })
        return { inbound: after, outdatesConfigs: InboundDraft.outdatesConfigs(before, after) }
      })

      const change = Effect.fnUntraced(function* (id: string, { settings: patch = {}, ...fields }: Patch) {
        const before = yield* locked(id)
        const settings = InboundDraft.patched(before.settings, patch)
        if (settings instanceof Invalid) return yield* settings
        const after: Inbound = {
          ...before,
          ...(fields as Partial<Inbound>),
          settings,
          certificate: InboundDraft.keepsCertificate(before.settings, settings) ? before.certificate : null,
          updatedAt: Precondition.next(before.updatedAt, yield* Instant.now)
        }
        if (after.port !== before.port || after.listen !== before.listen) yield* roomFor(after)
        return yield* replace(before, after, "inbound.change")
      })

      const rotateKeys = Effect.fnUntraced(function* (id: string) {
        const before = yield* locked(id)
        const settings = yield* InboundKeys.rotate(before.settings)
        const updatedAt = Precondition.next(before.updatedAt, yield* Instant.now)
        const after = { ...before, settings, updatedAt }
        return yield* replace(before, after, "inbound.rotate_keys")
      })

      const remove = Effect.fnUntraced(function* (id: string) {
        const before = yield* locked(id)
        yield* nodeStates.markInbounds([id], { roster: true })
        const unlinked = yield* store.deleteInbound(id, yield* Instant.now)
        yield* nodeStates.markSubscriptions(unlinked)
        const meta = { ...shown(before), unlinked: unlinked.length }
        yield* Audit.record({ action: "inbound.delete", targetType: "inbound", targetId: id, meta })
      })

      const get = Effect.fnUntraced(function* (id: string) {
        const { role } = yield* Actor
        const [inbound] = yield* store.inbounds([id])
        return inbound === undefined || (role !== "superuser" && !inbound.isActive)
          ? yield* new NotFound({ noun: "inbound", id })
          : inbound
      })

      const list = Effect.fnUntraced(function* (filter: InboundFilter, page: Page) {
        const { role } = yield* Actor
        if (role === "superuser") return yield* store.listInbounds(filter, page)
        return filter.isActive === false ? [] : yield* store.listInbounds({ ...filter, isActive: true }, page)
      })

      return Inbounds.of({
        create: (draft) => asSuperuser(create(draft)),
        get,
        list,
        change: (id, patch) => asSuperuser(change(id, patch)),
        rotateKeys: (id) => asSuperuser(rotateKeys(id)),
        remove: (id) => asSuperuser(remove(id))
      })
    })
  )
}
