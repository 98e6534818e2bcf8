/** Plays a history, step by step, to the product and to the oracle. */
import { Directory, Inbounds, Ledger, Subscriptions } from "@vpnmgr/core"
import { Effect } from "effect"
import type { Step } from "./History.ts"
import type { Played, World } from "./World.ts"
import { compare, create, poll, send } from "./World.ts"

const at = <A>(items: ReadonlyArray<A>, index: number): A => items[index % items.length]!

const chosen = <A>(items: ReadonlyArray<A>, mask: number): ReadonlyArray<A> =>
  items.filter((_, index) => (mask >> index) % 2 === 1)

/** A step on one subscription that is not deleted. */
const touch = Effect.fnUntraced(function* (world: World, step: Extract<Step, { readonly who: number }>) {
  const subscriptions = yield* Subscriptions.Subscriptions
  const row = at(world.subscriptions, step.who)
  const { id } = row
  const access = world.oracle.access.get(id)!
  const { now } = world.clock
  if (access.isDeleted) return
  switch (step.kind) {
    case "limit":
      access.limit = step.limit
      return yield* subscriptions.change(id, { maxTraffic: step.limit })
    case "period":
      access.span = step.period === null ? null : at(world.spans, step.period)
      return yield* subscriptions.change(id, { trafficResetPeriod: access.span?.iso ?? null })
    case "anchor":
      access.anchor = (Math.floor(now / world.grain) + step.grains) * world.grain
      return yield* subscriptions.change(id, { anchor: access.anchor })
    case "owner":
      row.ownerId = step.owner === null ? null : at(world.owners, step.owner)
      access.owners.push({ since: now, value: row.ownerId })
      return yield* subscriptions.change(id, { ownerId: row.ownerId })
    case "expiry":
      access.expiresAt = step.millis === null ? null : now + step.millis
      return yield* subscriptions.change(id, { expiresAt: access.expiresAt })
    case "extend": {
      const { expiresAt } = access
      if (expiresAt === null) return
      const isAhead = step.from === "expiry" || (step.from === null && expiresAt > now)
      access.expiresAt = (isAhead ? expiresAt : now) + step.seconds * 1000
      return yield* subscriptions.extend(id, `PT${step.seconds}S`, step.from)
    }
    case "links":
      row.inboundIds = chosen(world.inbounds, step.mask).map((inbound) => inbound.id)
      return yield* subscriptions.change(id, { inboundIds: row.inboundIds })
    case "reset":
      access.resets.push(now)
      return yield* subscriptions.reset(id)
    case "suspend":
      access.isSuspended = true
      return yield* subscriptions.suspend(id)
    case "resume":
      access.isSuspended = false
      return yield* subscriptions.resume(id)
    case "rotate": {
      const { subscription } = yield* subscriptions.rotate(id)
      row.credential = subscription.credential
      return
    }
    case "remove":
      access.isDeleted = true
      return yield* subscriptions.remove(id)
  }
})

/** Links an inbound to some of those that are not deleted, and unlinks it from the others. */
const linkInbound = Effect.fnUntraced(function* (world: World, step: Extract<Step, { readonly kind: "linkInbound" }>) {
  const subscriptions = yield* Subscriptions.Subscriptions
  const { id } = at(world.inbounds, step.inbound)
  const living = world.subscriptions.filter((row) => !world.oracle.access.get(row.id)!.isDeleted)
  const link = chosen(living, step.mask)
  for (const row of living) {
    const others = row.inboundIds.filter((each) => each !== id)
    row.inboundIds = link.includes(row) ? [...others, id] : others
  }
  const idsOf = (rows: ReadonlyArray<{ readonly id: string }>) => rows.map((row) => row.id)
  return yield* subscriptions.linkInbound(id, {
    link: idsOf(link),
    unlink: idsOf(living.filter((row) => !link.includes(row)))
  })
})

/** A step of a node's agent. */
const report = Effect.fnUntraced(function* (world: World, step: Extract<Step, { readonly node: number }>) {
  const index = step.node % world.nodes.length
  const { agent } = world.nodes[index]!
  switch (step.kind) {
    case "count": {
      const { id, credential } = at(world.subscriptions, step.who)
      const { ref } = at(world.inbounds, step.inbound)
      return agent.count({ subscription: id, credential, inbound: ref, up: step.up, down: step.down })
    }
    case "cut":
      return agent.cut(world.clock.now)
    case "merge":
      return agent.merge()
    case "split":
      return agent.split()
    case "remake":
      return agent.remake()
    case "skew":
      agent.skew = step.millis
      return
    case "poll":
      return yield* poll(world, index)
    case "send": {
      const batch = agent.pick(step.which)
      if (batch === undefined) return
      yield* Effect.replicateEffect(send(world, index, batch), step.times)
      if (step.times > 0 && !step.isLost) agent.acknowledge(batch)
    }
  }
})

/** A step of whoever administers users, groups and inbounds. */
const administer = Effect.fnUntraced(function* (
  world: World,
  step: Extract<Step, { readonly kind: "groups" | "grant" | "resetOwner" | "multiplier" }>
) {
  const directory = yield* Directory.Directory
  const inbounds = yield* Inbounds.Inbounds
  const { oracle, clock } = world
  switch (step.kind) {
    case "groups": {
      const id = at(world.owners, step.owner)
      const groups = chosen(world.groups, step.mask)
      oracle.people.get(id)!.groups = groups
      yield* directory.setGroups(id, groups)
      return oracle.grant()
    }
    case "grant": {
      const id = at(world.groups, step.group)
      const span = step.period === null ? null : at(world.spans, step.period)
      oracle.groups.set(id, { limit: step.limit, span })
      yield* directory.changeGroup(id, { maxTraffic: step.limit, trafficResetPeriod: span?.iso ?? null })
      return oracle.grant()
    }
    case "resetOwner": {
      const id = at(world.owners, step.owner)
      oracle.people.get(id)!.resets.push(clock.now)
      return yield* directory.resetUser(id)
    }
    case "multiplier": {
      const { id } = at(world.inbounds, step.inbound)
      oracle.multipliers.get(id)!.push({ since: clock.now, value: BigInt(step.value) })
      return yield* inbounds.change(id, { trafficMultiplier: step.value })
    }
  }
})

/**
 * Everything that waits arrives at once, twice, while windows turn. What two reports could not see of each other is
 * seen by the next change of the owner.
 */
const burst = Effect.fnUntraced(function* (world: World) {
  const directory = yield* Directory.Directory
  const batches = world.nodes.flatMap(({ agent }, index) => {
    agent.cut(world.clock.now)
    return agent.pickAll().map((batch) => ({ index, batch }))
  })
  const sends = [...batches, ...batches].map(({ index, batch }) => send(world, index, batch))
  yield* Effect.all([...sends, Ledger.turnDue], { concurrency: "unbounded", discard: true })
  for (const { index, batch } of batches) world.nodes[index]!.agent.acknowledge(batch)
  for (const id of world.owners) yield* directory.setGroups(id, world.oracle.people.get(id)!.groups)
})

/** Plays one step. */
const play = Effect.fnUntraced(function* (world: World, step: Step) {
  switch (step.kind) {
    case "pass":
      world.clock.now += step.millis
      return
    case "turn":
      yield* Ledger.turnDue
      return
    case "burst":
      return yield* burst(world)
    case "check":
      return yield* compare(world)
    case "create": {
      const ownerId = step.owner === null ? null : at(world.owners, step.owner)
      return yield* create(world, ownerId, step.limit, step.period === null ? null : at(world.spans, step.period))
    }
    case "linkInbound":
      yield* linkInbound(world, step)
      return
    case "groups":
    case "grant":
    case "resetOwner":
    case "multiplier":
      yield* administer(world, step)
      return
    default:
      if ("node" in step) yield* report(world, step)
      else yield* touch(world, step)
  }
})

/** Plays a history to its end, lets everything arrive, and compares. */
export const run: (world: World, history: ReadonlyArray<Step>) => Played = Effect.fn("Accounting.run")(function* (
  world: World,
  history: ReadonlyArray<Step>
) {
  for (const step of history) yield* play(world, step)
  for (const [index, { agent }] of world.nodes.entries()) {
    agent.cut(world.clock.now)
    for (let batch = agent.pick(0); batch !== undefined; batch = agent.pick(0)) {
      if (world.applied.has(`${world.nodes[index]!.id} ${batch.spool} ${batch.seq}`)) break
      yield* send(world, index, batch)
    }
  }
  yield* compare(world)
  for (const index of world.nodes.keys()) yield* poll(world, index)
})
