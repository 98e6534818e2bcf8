/**
 * The yardstick of HTTP: node:http and nothing else, writing one config as JSON anew for each request. It reads the
 * config from its standard input and prints its port.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

const config = JSON.parse(await text(process.stdin)) as unknown

const server = createServer((_request, response) => {
  const body = JSON.stringify(config)
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  response.end(body)
})
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port))
