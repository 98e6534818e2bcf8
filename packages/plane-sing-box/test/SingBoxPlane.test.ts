import { DataPlane } from "@vpnmgr/core"
import { Effect, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { createSocket } from "node:dgram"
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { SingBoxPlane } from "../src/index.ts"
import { isAlive } from "../src/internal/Process.ts"
import { binaries } from "./Binaries.ts"
import { counterOf, withPlane, withRig } from "./Plane.ts"
import * as Rig from "./Rig.ts"
import type * as Tunnel from "./Tunnel.ts"
import { killed, noteOf, until } from "./Waiting.ts"

const bytes = 500_000

/** A write that is cut off half-way has sent bytes which sing-box itself does not count. */
const uncounted = 131_072

for (const { path, title } of binaries) {
  describe.skipIf(path === undefined)(`${title}`, { timeout: 60_000 }, () => {
    const binary = path ?? ""

    const arrived = async (rig: Rig.Rig, credential: number, inbound: number) => {
      const tunnel = await rig.client(binary, credential, inbound)
      return (await tunnel.download(rig.origin.port, bytes)).end
    }

    const flow = async (rig: Rig.Rig, credential: number, inbound: number, perSecond = 2_000_000) => {
      const tunnel = await rig.client(binary, credential, inbound)
      const flow = await tunnel.download(rig.origin.port, 1e10, perSecond)
      await until(() => flow.received > 0)
      return flow
    }

    const goesOn = async (flow: Tunnel.Flow) => {
      const before = flow.received
      await until(() => flow.over || flow.received > before + 200_000)
      return !flow.over
    }

    for (const [index, protocol] of Rig.protocols.entries()) {
      const inbound = index + 1

      it(`${protocol}: counts to the byte what the client sent and got, and what the origin saw`, () =>
        withRig((rig) =>
          withPlane({ directory: rig.directory, binary }, async (plane) => {
            await plane.apply(rig.serving(rig.credential(1, inbound), rig.credential(2)))
            const tunnel = await rig.client(binary, 1, inbound)
            const down = await tunnel.download(rig.origin.port, bytes)
            const up = await tunnel.upload(rig.origin.port, bytes)
            const got = [await down.end, await up.end]
            assert.deepStrictEqual(got, [bytes, 2])
            assert.strictEqual(await arrived(rig, 2, inbound), 0)
            await sleep(200)
            const counter = counterOf(await plane.read(), 1, inbound)
            assert.deepStrictEqual(counter, { up: down.sent + up.sent, down: got[0]! + got[1]! })
            assert.deepStrictEqual([rig.origin.received, rig.origin.sent + 2], [counter.up, counter.down])
          })
        ))

      it(`${protocol}: cuts one without a restart while another goes on, and counts what the cut one got`, () =>
        withRig((rig) =>
          withPlane({ directory: rig.directory, binary }, async (plane) => {
            await plane.apply(rig.serving(rig.credential(1, inbound), rig.credential(2, inbound)))
            const [one, two] = await Promise.all([flow(rig, 1, inbound), flow(rig, 2, inbound)])
            const began = performance.now()
            const { restarted } = await plane.apply(rig.serving(rig.credential(1), rig.credential(2, inbound)))
            assert.isFalse(restarted)
            const got = await one.end
            assert.isBelow(one.overAt - began, 1000)
            assert.isTrue(await goesOn(two))
            assert.approximately(counterOf(await plane.read(), 1, inbound).down, got, uncounted)
            assert.strictEqual(await arrived(rig, 1, inbound), 0)
          })
        ))

      it(`${protocol}: books every byte before a restart that it plans`, () =>
        withRig((rig) =>
          withPlane({ directory: rig.directory, binary }, async (plane) => {
            await plane.apply(rig.serving(rig.credential(1, inbound)))
            const busy = await flow(rig, 1, inbound, 20_000_000)
            await until(() => busy.received > 5_000_000)
            const booked: Array<DataPlane.Counters> = []
            const late: Array<DataPlane.Counters> = []
            const book = (last: DataPlane.Counters) =>
              Effect.promise(async () => {
                booked.push(last)
                await sleep(300)
                late.push(await plane.read())
              })
            const former = await plane.read()
            const applied = await plane.apply(rig.serving(rig.credential(1, inbound), rig.credential(2, inbound)), {
              book
            })
            assert.isTrue(applied.restarted)
            const last = counterOf(booked[0]!, 1, inbound)
            assert.strictEqual(booked[0]!.epoch, former.epoch)
            assert.deepStrictEqual(counterOf(late[0]!, 1, inbound), last, "nothing was counted after the booking")
            assert.isAbove(last.down, counterOf(former, 1, inbound).down)
            assert.isAtLeast(last.down, (await busy.end) - uncounted)
            assert.strictEqual(await arrived(rig, 2, inbound), bytes)
            assert.deepStrictEqual(counterOf(await plane.read(), 1, inbound), { up: 0, down: 0 })
          })
        ))
    }

    it("outlives its agent: the next one adopts it, two at once are refused", () =>
      withRig(async (rig) => {
        const options = { directory: rig.directory, binary }
        const state = rig.serving(rig.credential(1, 1), rig.credential(2))
        const [transfer, note] = await withPlane(options, async (plane) => {
          await plane.apply(state)
          const second = await Effect.runPromiseExit(Effect.void.pipe(Effect.provide(SingBoxPlane.layer(options))))
          assert.isTrue(Exit.isFailure(second))
          return [await flow(rig, 1, 1), noteOf(rig.directory)] as const
        })
        assert.isTrue(await goesOn(transfer))
        await withPlane(options, async (plane) => {
          assert.strictEqual((await plane.read()).epoch, note.epoch)
          assert.isFalse((await plane.apply(state)).restarted)
          assert.deepStrictEqual(noteOf(rig.directory), note)
          assert.isTrue(await goesOn(transfer))
        })
      }))

    it("is replaced, with its counters booked, when it was rendered by other rules", () =>
      withRig(async (rig) => {
        const options = { directory: rig.directory, binary }
        const state = rig.serving(rig.credential(1, 1))
        await withPlane(options, async (plane) => {
          await plane.apply(state)
          assert.strictEqual(await arrived(rig, 1, 1), bytes)
        })
        const configOf = () => readFileSync(join(rig.directory, "config.json"), "utf8")
        assert.include(configOf(), "udp_connect")
        const booked: Array<DataPlane.Counters> = []
        const book = (last: DataPlane.Counters) => Effect.sync(() => void booked.push(last))
        await withPlane({ ...options, manyPeerUdp: true }, async (plane) => {
          assert.isTrue((await plane.apply(state, { book })).restarted)
          assert.isFalse((await plane.apply(state, { book })).restarted)
        })
        assert.notInclude(configOf(), "udp_connect")
        assert.strictEqual(booked.length, 1)
        assert.isAtLeast(counterOf(booked[0]!, 1, 1).down, bytes)
        const { rendering: _, ...roster } = noteOf(rig.directory).roster
        const note = JSON.stringify({ ...noteOf(rig.directory), roster })
        writeFileSync(join(rig.directory, "plane.json"), note)
        await withPlane({ ...options, manyPeerUdp: true }, async (plane) => {
          assert.isTrue((await plane.apply(state, { book })).restarted, "a note of an older agent names no rules")
          assert.strictEqual(await arrived(rig, 1, 1), bytes)
        })
        assert.strictEqual(booked.length, 2)
      }))

    it("is not brought to rest again at once when its last counters could not be booked", () =>
      withRig((rig) =>
        withPlane({ directory: rig.directory, binary, drainAgainAfter: 3000 }, async (plane) => {
          const full = new DataPlane.DataPlaneError({ reason: new DataPlane.PlaneUnreachable({ detail: "disk full" }) })
          let asked = 0
          const book = () => Effect.suspend(() => Effect.fail((asked++, full)))
          await plane.apply(rig.serving(rig.credential(1, 1)))
          const { epoch } = await plane.read()
          const wished = rig.serving(rig.credential(1, 1), rig.credential(2, 1))
          const dropped = await flow(rig, 1, 1)
          assert.include(JSON.stringify(await plane.refusal(wished, { book })), "disk full")
          await until(() => dropped.over)
          const transfer = await flow(rig, 1, 1)
          assert.include(JSON.stringify(await plane.refusal(wished, { book })), "disk full")
          const blocking = rig.serving(rig.credential(1, 1), rig.credential(2, 1), rig.credential(3, 1))
          assert.include(JSON.stringify(await plane.refusal(blocking, { book })), "disk full")
          assert.isTrue(await goesOn(transfer))
          assert.strictEqual(asked, 1)
          assert.strictEqual((await plane.read()).epoch, epoch)
          await plane.refusal(rig.serving(rig.credential(1), rig.credential(2, 1)), { book })
          assert.strictEqual(await arrived(rig, 1, 1), 0, "who must be cut is cut all the same")
          await sleep(3000)
          assert.isTrue((await plane.apply(wished)).restarted)
          assert.strictEqual(await arrived(rig, 2, 1), bytes)
        })
      ))

    it("is found again when its agent died before it noted the process", () =>
      withRig(async (rig) => {
        const options = { directory: rig.directory, binary }
        const state = rig.serving(rig.credential(1, 1))
        await withPlane(options, (plane) => plane.apply(state))
        const note = noteOf(rig.directory)
        writeFileSync(join(rig.directory, "plane.json"), JSON.stringify({ ...note, process: null }))
        await withPlane(options, async (plane) => {
          assert.isFalse((await plane.apply(state)).restarted)
          assert.deepStrictEqual(noteOf(rig.directory), note)
        })
      }))

    it("is ended and started again when its note is lost: never is there a second one", () =>
      withRig(async (rig) => {
        const options = { directory: rig.directory, binary }
        const state = rig.serving(rig.credential(1, 1))
        await withPlane(options, (plane) => plane.apply(state))
        const { process: former } = noteOf(rig.directory)
        writeFileSync(join(rig.directory, "plane.json"), "{")
        await withPlane(options, async (plane) => {
          assert.isTrue((await plane.apply(state)).restarted)
          assert.isFalse(isAlive(former))
          assert.strictEqual(await arrived(rig, 1, 1), bytes)
        })
      }))

    it("serves again when its agent died after it had brought it to rest", () =>
      withRig(async (rig) => {
        const options = { directory: rig.directory, binary }
        const state = rig.serving(rig.credential(1, 1))
        await withPlane(options, (plane) => plane.apply(state))
        const { control, secret } = noteOf(rig.directory)
        await fetch(`http://${control}/configs`, {
          method: "PATCH",
          headers: { authorization: `Bearer ${secret}` },
          body: JSON.stringify({ mode: "drain" })
        })
        assert.strictEqual(await arrived(rig, 1, 1), 0)
        await withPlane(options, async () => assert.strictEqual(await arrived(rig, 1, 1), bytes))
      }))

    it("starts from the newest state after a crash: who is blocked stays blocked", () =>
      withRig((rig) =>
        withPlane({ directory: rig.directory, binary }, async (plane) => {
          await plane.apply(rig.serving(rig.credential(1, 1), rig.credential(2, 1)))
          assert.isFalse((await plane.apply(rig.serving(rig.credential(1), rig.credential(2, 1)))).restarted)
          const { epoch } = await plane.read()
          await killed(rig.directory)
          assert.isTrue((await plane.apply(rig.serving(rig.credential(1), rig.credential(2, 1)))).restarted)
          assert.notStrictEqual((await plane.read()).epoch, epoch)
          assert.strictEqual(await arrived(rig, 1, 1), 0)
          assert.strictEqual(await arrived(rig, 2, 1), bytes)
        })
      ))

    it("refuses a port that another program holds, and drops nobody for it", () =>
      withRig((rig) =>
        withPlane({ directory: rig.directory, binary, retryAfter: 0 }, async (plane) => {
          const [first, second, third] = rig.inbounds
          for (const door of [second!, third!]) {
            const taken = createSocket("udp4").bind(door.port, "127.0.0.1")
            await once(taken, "listening")
            await plane.apply({ inbounds: [first!], credentials: [rig.credential(1, 1)] })
            const transfer = await flow(rig, 1, 1)
            const wished = { inbounds: [first!, door], credentials: [rig.credential(1, 1, door.ref)] }
            const refused = await plane.refusal(wished)
            assert.strictEqual(refused._tag, "PlaneRejected")
            assert.include(JSON.stringify(refused), "EADDRINUSE")
            assert.isTrue(await goesOn(transfer))
            taken.close()
            await once(taken, "close")
            assert.isTrue((await plane.apply(wished)).restarted)
            assert.strictEqual(await arrived(rig, 1, door.ref), bytes)
          }
        })
      ))

    it("goes back to what it served, with the newest permissions, when it cannot start", () =>
      withRig((rig) => {
        const flaky = join(rig.directory, "flaky")
        const broken = join(rig.directory, "broken")
        const script = `#!/bin/sh\nif [ "$2" = run ] && [ -e ${broken} ] && grep -q '"in-2"' "$6"; then echo no luck >&2; exit 1; fi\n`
        writeFileSync(flaky, `${script}exec ${binary} "$@"\n`, { mode: 0o755 })
        return withPlane({ directory: rig.directory, binary: flaky }, async (plane) => {
          const [first, , third] = rig.inbounds
          const former = { inbounds: [first!, third!], credentials: [rig.credential(1, 1), rig.credential(2, 1)] }
          await plane.apply(former)
          writeFileSync(broken, "")
          const wished = {
            inbounds: rig.inbounds,
            credentials: [rig.credential(1), rig.credential(2, 1, 2), rig.credential(3, 1)]
          }
          const refused = await plane.refusal(wished)
          assert.strictEqual(refused._tag, "PlaneRejected")
          assert.include(JSON.stringify(refused), "no luck")
          assert.strictEqual(await arrived(rig, 1, 1), 0)
          assert.strictEqual(await arrived(rig, 2, 1), bytes)
          const { epoch } = await plane.read()
          assert.strictEqual((await plane.refusal(wished))._tag, "PlaneRejected")
          assert.strictEqual((await plane.read()).epoch, epoch, "it is not dropped again for the same state")
          rmSync(broken)
          await plane.apply({ ...wished, credentials: [...wished.credentials, rig.credential(4, 1)] })
          assert.strictEqual(await arrived(rig, 2, 2), bytes)
          assert.strictEqual(await arrived(rig, 3, 1), bytes)
        })
      }))

    it("blocks at once whoever must be blocked, even when the rest of the state is refused", () =>
      withRig((rig) =>
        withPlane({ directory: rig.directory, binary }, async (plane) => {
          const [first] = rig.inbounds
          const inbounds = [first!]
          await plane.apply({ inbounds, credentials: [rig.credential(1, 1), rig.credential(2, 1)] })
          const transfer = await flow(rig, 2, 1)
          const { settings } = first!
          assert(settings.protocol === "vless")
          const refused = await plane.refusal({
            inbounds: [{ ...first!, settings: { ...settings, privateKey: "short" } }],
            credentials: [rig.credential(1), rig.credential(2, 1)]
          })
          assert.strictEqual(refused._tag, "PlaneRejected")
          assert.strictEqual(await arrived(rig, 1, 1), 0)
          assert.isTrue(await goesOn(transfer))
        })
      ))

    it("closes a door by letting nobody in, and opens it again, without a restart", () =>
      withRig((rig) =>
        withPlane({ directory: rig.directory, binary }, async (plane) => {
          const state = rig.serving(rig.credential(1, 1, 2))
          await plane.apply(state)
          const inactive = state.inbounds.map((inbound) => ({ ...inbound, isActive: inbound.ref !== 1 }))
          assert.isFalse((await plane.apply({ ...state, inbounds: inactive })).restarted)
          assert.strictEqual(await arrived(rig, 1, 1), 0)
          assert.strictEqual(await arrived(rig, 1, 2), bytes)
          assert.isFalse((await plane.apply(state)).restarted)
          assert.strictEqual(await arrived(rig, 1, 1), bytes)
        })
      ))

    it("reports the certificate it made, and keeps it", () =>
      withRig(async (rig) => {
        const options = { directory: rig.directory, binary }
        const state = rig.serving(rig.credential(1, 3))
        const { certificates } = await withPlane(options, (plane) => plane.apply(state))
        assert.deepStrictEqual(
          certificates.map(({ inbound }) => inbound),
          [3]
        )
        assert.include(certificates[0]!.pem, "BEGIN CERTIFICATE")
        await killed(rig.directory)
        const again = await withPlane(options, (plane) => plane.apply(state))
        assert.deepStrictEqual(again.certificates, certificates)
      }))

    it("keeps its files to itself, and writes nothing of who went where", () =>
      withRig((rig) =>
        withPlane({ directory: rig.directory, binary }, async (plane) => {
          await plane.apply(rig.serving(rig.credential(1, 1, 2, 3)))
          for (const inbound of [1, 2, 3]) await arrived(rig, 1, inbound)
          const modeOf = (name: string) => (statSync(join(rig.directory, name)).mode & 0o777).toString(8)
          assert.strictEqual(modeOf("."), "700")
          for (const name of ["config.json", "plane.json", "key-3.pem", "sing-box.log"])
            assert.strictEqual(modeOf(name), "600")
          assert.notInclude(readFileSync(join(rig.directory, "sing-box.log"), "utf8"), "203.0.113")
        })
      ))
  })
}
