/** The foreign TLS 1.3 server whose handshake REALITY shows to strangers: self-signed, in the namespace, says nothing. */
import { execFile } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:tls"
import { promisify } from "node:util"

const run = promisify(execFile)

/** The name it goes by, in inbounds' `server_name` too. */
export const serverName = "www.reality.test"

export interface Foreign {
  readonly host: string
  readonly port: number
  readonly close: () => void
}

/** Starts it, with a key pair that sing-box makes. */
export const start = async (singBox: string): Promise<Foreign> => {
  const host = "127.0.0.1"
  const { stdout } = await run(singBox, ["generate", "tls-keypair", serverName])
  const split = stdout.indexOf("-----BEGIN CERTIFICATE")
  const server = createServer(
    { key: stdout.slice(0, split), cert: stdout.slice(split), minVersion: "TLSv1.3", ecdhCurve: "X25519" },
    (socket) => {
      socket.on("error", () => socket.destroy())
      socket.end("HTTP/1.1 204 No Content\r\n\r\n")
    }
  )
  server.on("tlsClientError", () => undefined)
  server.listen(0, host)
  await once(server, "listening")
  return { host, port: (server.address() as { readonly port: number }).port, close: () => server.close() }
}
