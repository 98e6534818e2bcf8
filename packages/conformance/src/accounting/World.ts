/** The product and the oracle side by side, under one clock, and what is compared between them. */
import { assert } from "@effect/vitest"
import {
  Actor,
  CredentialStore,
  Directory,
  Enforcer,
  Inbounds,
  Inventory,
  NodeState,
  NodeStates,
  NodeStateStore,
  Subscriptions,
  UsageStore
} from "@vpnmgr/core"
import type { ControlPlane, Quota, TrafficReport } from "@vpnmgr/core"
import { Effect } from "effect"
import type { Layer } from "effect"
import { Agent } from "./Agent.ts"
import type { SentBatch } from "./Agent.ts"
import type { Span } from "./Calendar.ts"
import type { Stores } from "../Stores.ts"
import { Oracle } from "./Oracle.ts"
import type { Reading } from "./Oracle.ts"

/** 28 February 2028, 21:59:58.750 UTC: before a leap day, a month's end and the change of an hour. */
export const beginning = Date.UTC(2028, 1, 28, 21, 59, 58, 750)

/** How far clocks may differ before the server shifts times. */
const tolerance = 300_000

export interface World {
  readonly grain: number
  readonly spans: ReadonlyArray<Span>
  readonly oracle: Oracle
  readonly clock: { now: number }
  readonly nodes: ReadonlyArray<{
    readonly id: string
    readonly tokenId: string
    readonly agent: Agent
    state: NodeState.NodeState | null
  }>
  readonly inbounds: ReadonlyArray<{ readonly id: string; readonly ref: number; readonly nodeId: string }>
  readonly groups: ReadonlyArray<string>
  readonly owners: ReadonlyArray<string>
  /** Every subscription there ever was, with its newest credential and links. */
  readonly subscriptions: Array<{
    readonly id: string
    credential: number
    ownerId: string | null
    inboundIds: ReadonlyArray<string>
  }>
  readonly applied: Set<string>
}

/** A part of a history, played: whatever goes wrong fails it. */
export type Played = Effect.Effect<void, unknown, Stores | Actor.Actor | Layer.Success<typeof ControlPlane.layer>>

export const asSystem = Effect.provideService(Actor.Actor, Actor.system)

/** Makes a subscription on both sides, linked everywhere. */
export const create = Effect.fn("Accounting.create")(function* (
  world: World,
  ownerId: string | null,
  limit: bigint | null,
  span: Span | null
) {
  const subscriptions = yield* Subscriptions.Subscriptions
  const inboundIds = world.inbounds.map(({ id }) => id)
  const { subscription } = yield* subscriptions.create({
    ownerId,
    title: null,
    description: null,
    expiresAt: null,
    maxTraffic: limit,
    maxSpeed: null,
    trafficResetPeriod: span?.iso ?? null,
    inboundIds,
    anchor: null
  })
  const { id, credential, anchor } = subscription
  world.subscriptions.push({ id, credential, ownerId, inboundIds })
  world.oracle.access.set(id, {
    limit,
    span,
    anchor,
    resets: [],
    owners: [{ since: -Infinity, value: ownerId }],
    isSuspended: false,
    expiresAt: null,
    isDeleted: false
  })
})

/** Two nodes with three inbounds, two groups, two owners, three subscriptions and spares enough. */
export const make = Effect.fn("Accounting.make")(function* (
  grain: number,
  spans: ReadonlyArray<Span>,
  clock: { now: number }
) {
  const inventory = yield* Inventory.Inventory
  const fleet = yield* Inbounds.Inbounds
  const directory = yield* Directory.Directory
  const oracle = new Oracle(grain)
  const aNode = Effect.gen(function* () {
    const { node } = yield* inventory.createNode({ description: null, geo: null, purpose: null, linkSpeed: null })
    const { token } = yield* inventory.createToken(node.id)
    return { id: node.id, tokenId: token.id, agent: new Agent(clock.now), state: null }
  })
  const nodes: World["nodes"] = [yield* aNode, yield* aNode]
  const inbounds = yield* Effect.forEach(
    [
      [0, 443, 1337],
      [0, 444, 1000],
      [1, 443, 2500]
    ] as const,
    ([node, port, trafficMultiplier]) =>
      fleet.create({
        nodeId: nodes[node]!.id,
        host: "192.0.2.1",
        port,
        geo: null,
        purpose: null,
        trafficMultiplier,
        settings: { protocol: "shadowsocks" }
      })
  )
  for (const { id, trafficMultiplier } of inbounds)
    oracle.multipliers.set(id, [{ since: -Infinity, value: BigInt(trafficMultiplier) }])
  const credentials = yield* CredentialStore.CredentialStore
  const nodeStates = yield* NodeStateStore.NodeStateStore
  const secrets = Array.from({ length: 24 }, () => crypto.getRandomValues(new Uint8Array(32)))
  yield* nodeStates.markSpares(yield* credentials.insert(secrets, true))
  const groups = yield* Effect.forEach([30_000n, null], (maxTraffic, index) =>
    Effect.map(
      directory.createGroup({
        name: `g${index}`,
        maxTraffic,
        maxSpeed: null,
        trafficResetPeriod: spans[index + 1]!.iso
      }),
      ({ id }) => {
        oracle.groups.set(id, { limit: maxTraffic, span: spans[index + 1]! })
        return id
      }
    )
  )
  const owners = yield* Effect.forEach([[groups[0]!], groups], (groupIds) =>
    Effect.map(
      directory.createUser({ username: crypto.randomUUID(), role: "operator", groupIds, passwordHash: "$" }),
      ({ user, bucket }) => {
        const nothing = { limit: null, span: null, resets: [] }
        oracle.people.set(user.id, { ...nothing, groups: groupIds, anchor: bucket.anchor })
        return user.id
      }
    )
  )
  oracle.grant()
  const world: World = {
    grain,
    spans,
    oracle,
    clock,
    nodes,
    inbounds,
    groups,
    owners,
    subscriptions: [],
    applied: new Set()
  }
  yield* create(world, owners[0]!, 10_000n, spans[1]!)
  yield* create(world, owners[1]!, null, spans.at(-1)!)
  yield* create(world, null, 5000n, null)
  clock.now += 1
  return world
})

/** Sends a batch; tells the oracle of it the first time it arrives. */
export const send: (world: World, index: number, batch: SentBatch) => Played = Effect.fn("Accounting.send")(function* (
  world: World,
  index: number,
  batch: SentBatch
) {
  const enforcer = yield* Enforcer.Enforcer
  const { id: nodeId, tokenId, agent } = world.nodes[index]!
  const { now } = world.clock
  const sentAt = now + agent.skew
  const { spool, seq, from, to, counts } = batch
  const entries = counts.map(({ credential, inbound, up, down }): TrafficReport.Entry => ({
    credential,
    inbound,
    bytesUp: up,
    bytesDown: down
  }))
  const report = { batch: { spool, seq, from, to, entries }, sentAt, lowest: agent.lowest(spool) }
  const key = `${nodeId} ${spool} ${seq}`
  yield* enforcer.report({ nodeId, tokenId }, { ...report, agentVersion: "test", planeVersion: null }).pipe(
    Effect.catchTag("SpoolRewound", (rewound) => {
      assert.isTrue(world.applied.has(key), "an honest agent's batch is rewound only when it was applied before")
      return world.applied.has(key) ? Effect.void : Effect.fail(rewound)
    })
  )
  if (world.applied.has(key)) return
  world.applied.add(key)
  const shift = Math.abs(now - sentAt) > tolerance ? now - sentAt : 0
  for (const { subscription, inbound, up, down } of counts) {
    const place = world.inbounds.find(({ ref }) => ref === inbound)!
    const isCounted = place.nodeId === nodeId && up >= 0n && down >= 0n && up + down > 0n
    if (isCounted) world.oracle.facts.push({ subscription, inbound: place.id, up, down, to: Math.min(to + shift, now) })
  }
})

/** A bucket read at an instant, as the oracle words it: one whose window has ended is empty. */
const readingOf = ({ window, used, exhaustedUntil }: Quota.Bucket, now: number): Reading => ({
  used: window.end < now ? 0n : used,
  exhaustedUntil: exhaustedUntil !== null && exhaustedUntil > now ? exhaustedUntil : null
})

/** Compares everything that was counted, to the byte. */
export const compare: (world: World) => Played = Effect.fn("Accounting.compare")(function* (world: World) {
  const subscriptions = yield* Subscriptions.Subscriptions
  const directory = yield* Directory.Directory
  const usage = yield* UsageStore.UsageStore
  const { oracle, clock } = world
  for (const { id } of world.subscriptions) {
    const pieces = (yield* usage.pieces(id, 0, Infinity)).map(({ inboundId, ...piece }) => ({
      inbound: inboundId,
      ...piece
    }))
    assert.deepStrictEqual(pieces, oracle.pieces(id), "pieces")
    const nodeOf = (inbound: string) => world.inbounds.find((each) => each.id === inbound)!.nodeId
    for (const [by, keyOf] of [
      ["hour", ({ at }) => Math.floor(at / 3_600_000) * 3_600_000],
      ["day", ({ at }) => Math.floor(at / 86_400_000) * 86_400_000],
      ["inbound", ({ inbound }) => inbound],
      ["node", ({ inbound }) => nodeOf(inbound)]
    ] as ReadonlyArray<[UsageStore.By, (piece: (typeof pieces)[number]) => string | number]>) {
      const naive = new Map<string | number, bigint>()
      for (const piece of pieces) naive.set(keyOf(piece), (naive.get(keyOf(piece)) ?? 0n) + piece.weighted)
      const sums = yield* usage.sums({ kind: "subscription", id }, by, 0, Infinity)
      const found = sums.map((sum) => [sum.at ?? sum.inboundId ?? sum.nodeId, sum.weighted] as const)
      assert.deepStrictEqual(
        found,
        [...naive].sort(([a], [b]) => (a < b ? -1 : 1)),
        `sums by ${by}`
      )
    }
    if (oracle.access.get(id)!.isDeleted) continue
    const { bucket } = yield* subscriptions.get(id)
    assert.deepStrictEqual(readingOf(bucket, clock.now), oracle.own(id, clock.now), "a subscription's window")
  }
  for (const id of world.owners) {
    const { bucket } = yield* directory.getUser(id)
    assert.deepStrictEqual(readingOf(bucket, clock.now), oracle.owner(id, clock.now), "an owner's window")
  }
})

/** Lets a node fetch its state, and compares whom it serves where by it. */
export const poll: (world: World, index: number) => Played = Effect.fn("Accounting.poll")(function* (
  world: World,
  index: number
) {
  const nodeStates = yield* NodeStates.NodeStates
  const store = yield* NodeStateStore.NodeStateStore
  const node = world.nodes[index]!
  const { now } = world.clock
  yield* store.assign
  const next = yield* nodeStates.poll(
    { nodeId: node.id, tokenId: node.tokenId },
    node.state ?? { generation: "", revision: 0 },
    0
  )
  if (next !== null) node.state = node.state === null ? next : NodeState.merge(node.state, next)
  const state = node.state!
  const standings = new Map(state.buckets.map((grant) => [grant.ref, NodeState.standing(grant, () => 0n, now)]))
  if ([...standings.values()].some(({ windowEnd }) => windowEnd === now)) return
  const served = NodeState.serving(state, standings, now).credentials.flatMap(({ ref, open }) =>
    [...open].map((inbound) => `${ref} ${inbound}`)
  )
  const expected = world.subscriptions.flatMap(({ id, credential, ownerId, inboundIds }) =>
    world.oracle.isServed(id, ownerId, now)
      ? world.inbounds
          .filter((inbound) => inbound.nodeId === node.id && inboundIds.includes(inbound.id))
          .map(({ ref }) => `${credential} ${ref}`)
      : []
  )
  assert.sameMembers(served, expected, `whom node ${index} serves`)
})
