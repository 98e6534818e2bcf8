/** What a subscriber must not reach through a node: the node itself and the network it stands in. */
import { assert, describe, it } from "vitest"
import { binaries } from "./Binaries.ts"
import * as Origin from "./Origin.ts"
import { withPlane, withRig } from "./Plane.ts"
import * as Rig from "./Rig.ts"
import * as Udp from "./Udp.ts"

for (const { path, title } of binaries) {
  describe.skipIf(path === undefined)(`${title}`, { timeout: 60_000 }, () => {
    const binary = path ?? ""

    for (const [index, protocol] of Rig.protocols.entries()) {
      const inbound = index + 1

      it(`${protocol}: refuses the node's own addresses over TCP, by number and by name`, () =>
        withRig((rig) =>
          withPlane({ directory: rig.directory, binary }, async (plane) => {
            await plane.apply(rig.serving(rig.credential(1, inbound)))
            const tunnel = await rig.client(binary, 1, inbound)
            const inside = await Origin.start("0.0.0.0")
            const got = async (host: string) => (await tunnel.download(inside.port, 1000, 0, host)).end
            assert.strictEqual(await got(Origin.host), 1000)
            for (const host of ["127.0.0.1", "127.1.2.3", "0.0.0.0", "localhost"])
              assert.strictEqual(await got(host), 0, host)
            inside.close()
          })
        ))

      it(`${protocol}: refuses them over UDP, to a session that began with a public address too`, () =>
        withRig((rig) =>
          withPlane({ directory: rig.directory, binary }, async (plane) => {
            await plane.apply(rig.serving(rig.credential(1, inbound)))
            const [open, inside] = await Promise.all([Udp.echo(Origin.host), Udp.echo("127.0.0.1")])
            const tunnel = await rig.client(binary, 1, inbound)
            const direct = await Udp.open(tunnel.port)
            await direct.say(inside, "direct")
            direct.close()
            const session = await Udp.open(tunnel.port)
            await session.say(open, "first")
            await session.say(inside, "second")
            await session.say(open, "third")
            session.close()
            assert.deepStrictEqual(inside.heard, [])
            assert.include(session.heard, "first")
            assert.include(session.heard, "third")
            open.close()
            inside.close()
          })
        ))
    }

    it("would let a UDP session in there, where many peers are allowed and no firewall stands", () =>
      withRig((rig) =>
        withPlane({ directory: rig.directory, binary, manyPeerUdp: true }, async (plane) => {
          await plane.apply(rig.serving(rig.credential(1, 2)))
          const [open, inside] = await Promise.all([Udp.echo(Origin.host), Udp.echo("127.0.0.1")])
          const session = await Udp.open((await rig.client(binary, 1, 2)).port)
          await session.say(open, "first")
          await session.say(inside, "second")
          session.close()
          assert.deepStrictEqual([open.heard, inside.heard], [["first"], ["second"]])
          open.close()
          inside.close()
        })
      ))
  })
}
