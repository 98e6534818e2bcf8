/** The addresses that inbounds listen on: whether sing-box could open them, asked before anybody is dropped for it. */
import { Inbound } from "@vpnmgr/core"
import { Effect } from "effect"
import { createSocket } from "node:dgram"
import { createServer } from "node:net"
import { describe } from "./Failure.ts"

type Door = Pick<Inbound.NodeInbound, "listen" | "port" | "settings">

const overTcp = ({ listen, port }: Door) =>
  new Promise<void>((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen({ host: listen, port, exclusive: true }, () => server.close(() => resolve()))
  })

const overUdp = ({ listen, port }: Door) =>
  new Promise<void>((resolve, reject) => {
    const socket = createSocket(listen.includes(":") ? "udp6" : "udp4").once("error", reject)
    socket.bind({ address: listen, port, exclusive: true }, () => socket.close(() => resolve()))
  })

const attempt = async (door: Door): Promise<string | undefined> => {
  const network = Inbound.networkOf(door.settings.protocol)
  try {
    if (network.includes("tcp")) await overTcp(door)
    if (network.includes("udp")) await overUdp(door)
    return undefined
  } catch (cause) {
    return describe(cause)
  }
}

/** Why the first of these doors cannot be opened; `undefined` when all can. */
export const obstacle = (doors: ReadonlyArray<Door>): Effect.Effect<string | undefined> =>
  Effect.promise(async () => {
    for (const door of doors) {
      const reason = await attempt(door)
      if (reason !== undefined) return reason
    }
    return undefined
  })
