/** UDP through a client's SOCKS port: one session that speaks to whom the test wishes. */
import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"
import { connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

export interface Echo {
  readonly host: string
  readonly port: number
  /** What has arrived. */
  readonly heard: Array<string>
  readonly close: () => void
}

const bound = async (host: string): Promise<Socket> => {
  const socket = createSocket("udp4")
  socket.bind(0, host)
  await once(socket, "listening")
  return socket
}

/** Notes what arrives and sends it back. */
export const echo = async (host: string): Promise<Echo> => {
  const socket = await bound(host)
  const heard: Array<string> = []
  socket.on("message", (message, from) => {
    heard.push(message.toString())
    socket.send(message, from.port, from.address)
  })
  return { host, port: socket.address().port, heard, close: () => socket.close() }
}

export interface Session {
  /** Sends one datagram and gives it time to arrive. */
  readonly say: (to: Echo, text: string) => Promise<void>
  /** What came back. */
  readonly heard: ReadonlyArray<string>
  readonly close: () => void
}

/** Opens a UDP association (RFC 1928, 7) at a local SOCKS port. */
export const open = async (proxy: number): Promise<Session> => {
  const control = connect(proxy, "127.0.0.1")
  control.write(Buffer.from([5, 1, 0]))
  await once(control, "data")
  control.write(Buffer.from([5, 3, 0, 1, 0, 0, 0, 0, 0, 0]))
  const [reply] = (await once(control, "data")) as [Buffer]
  const socket = await bound("127.0.0.1")
  const heard: Array<string> = []
  socket.on("message", (message) => heard.push(message.subarray(10).toString()))
  return {
    heard,
    say: async ({ host, port }, text) => {
      const address = [0, 0, 0, 1, ...host.split(".").map(Number), port >> 8, port & 255]
      socket.send(Buffer.concat([Buffer.from(address), Buffer.from(text)]), reply.readUInt16BE(8), "127.0.0.1")
      await sleep(300)
    },
    close: () => {
      socket.close()
      control.destroy()
    }
  }
}
