/**
 * The node's disk is full: what passes goes on, whoever must be cut is cut, by the clock, by the counters and by a new
 * state, and an agent that is killed starts again. Once there is room, new states are followed whole.
 */
import { setTimeout as sleep } from "node:timers/promises"
import * as Expect from "../Expect.ts"
import type { Ground } from "./Ground.ts"
import * as Tunnel from "./Tunnel.ts"

const patience = 40_000

/** How late a cut may be that the node's own clock or counters make, and one that a new state tells, on a busy machine, ms. */
const late = { own: 8000, told: 20_000 }

/** Bytes that somebody may still use when the disk becomes full. */
const rest = 6_000_000

/** How long the clock lets somebody pass after that, milliseconds. */
const pass = 15_000

/** Waits until its flow has ended and no other begins; answers the milliseconds since `from`. */
const ended = async (what: string, tunnel: Tunnel.Tunnel, before: number, from: number, timeout: number) => {
  await Expect.soon(
    what,
    Math.max(0, from - Date.now()) + timeout,
    () => (tunnel.ended() > before && tunnel.flow()?.firstByteAt === undefined ? true : undefined),
    () => `${tunnel.ended()} flows ended, ${tunnel.received()} bytes`,
    50
  )
  return Math.round(Date.now() - from)
}

const flows = async (what: string, tunnels: ReadonlyArray<Tunnel.Tunnel>) => {
  const before = tunnels.map((tunnel) => tunnel.received())
  await sleep(1000)
  for (const [index, tunnel] of tunnels.entries())
    Expect.atLeast(`${what}: bytes of ${tunnel.protocol}`, tunnel.received() - before[index]!, Tunnel.rate / 4)
}

/** Fills the node's disk, looks, and gives the room back. Those of `tunnels` that are open download all the time. */
export const deal = async (ground: Ground, tunnels: Array<Tunnel.Tunnel>): Promise<string> => {
  const { api, disks, node } = ground
  const passing = tunnels.filter((tunnel) => !tunnel.isStopped())
  const { epoch } = await node.run()
  const byClock = await Tunnel.open(ground, "shadowsocks")
  const byCount = await Tunnel.open(ground, "hysteria2")
  const byState = await Tunnel.open(ground, "shadowsocks")
  const mine = [byClock, byCount, byState]
  tunnels.push(...mine)
  try {
    await flows("before", mine)
    const until = Date.now() + pass
    await api.change(byClock.subscription.id, { expires_at: new Date(until).toISOString() })
    const limited = Date.now()
    await api.change(byCount.subscription.id, { max_traffic: byCount.received() + rest })
    for (const { subscription } of [byClock, byCount]) await Tunnel.converged(ground, subscription.id)
    const [clocked, counted, stated] = mine.map((tunnel) => tunnel.ended()) as [number, number, number]
    await disks.node.fill()
    Expect.atMost("bytes left on the node's disk", await disks.node.room(), 0)
    await flows("on a full disk", passing)
    const clock = await ended("cut by the clock on a full disk", byClock, clocked, until, late.own)
    const span = (rest / Tunnel.rate) * 1000
    const counters = await ended("cut by the counters on a full disk", byCount, counted, limited + span, late.own)
    const told = Date.now()
    await api.act(byState.subscription.id, "suspend")
    const state = await ended("cut by a new state on a full disk", byState, stated, told, late.told)
    await node.stopAgent("SIGKILL")
    await node.startAgent()
    await flows("on a full disk, the agent killed and started", passing)
    await sleep(2000)
    Expect.holds("an agent that was started on a full disk runs", node.agent()?.isRunning() === true)
    await disks.node.free()
    await api.act(byState.subscription.id, "resume")
    const [, took] = await Expect.timed(() => Tunnel.converged(ground, byState.subscription.id, patience))
    await flows("once there is room", [...passing, byState])
    Expect.same("the run of sing-box", (await node.run()).epoch, epoch)
    return `while full cut by the clock ${clock} ms late, by counters ${counters} ms, by a state ${state} ms after it; then one followed after ${took} ms`
  } finally {
    await disks.node.free()
    for (const tunnel of mine) await tunnel.stop()
  }
}
