/**
 * The plane's own counters, read by a reader that shares no code with the product: V2Ray's `StatsService` over gRPC,
 * by hand over HTTP/2. An empty `QueryStats` names everything and resets nothing.
 */
import { connect } from "node:http2"

/** Payload bytes of one (credential, inbound) pair since sing-box started. */
export interface Counter {
  readonly up: bigint
  readonly down: bigint
}

/** By pair name, such as `c17.2`. A pair that never passed a byte is absent. */
export type Counters = ReadonlyMap<string, Counter>

const path = "/v2ray.core.app.stats.command.StatsService/QueryStats"
const name = /^user>>>(.+)>>>traffic>>>(uplink|downlink)$/

const varint = (bytes: Buffer, at: number): readonly [value: bigint, next: number] => {
  let value = 0n
  for (let shift = 0n, next = at; ; shift += 7n) {
    const byte = bytes[next++]
    if (byte === undefined) throw new Error("the counters' answer ends in a number")
    value |= BigInt(byte & 127) << shift
    if (byte < 128) return [value, next]
  }
}

/** The fields of a protobuf message: numbers and byte strings, which is all the answer has. */
const fields = function* (bytes: Buffer): Generator<readonly [field: number, value: bigint | Buffer]> {
  for (let at = 0; at < bytes.length;) {
    const [tag, after] = varint(bytes, at)
    const [value, next] = varint(bytes, after)
    const isBytes = (tag & 7n) === 2n
    at = isBytes ? next + Number(value) : next
    yield [Number(tag >> 3n), isBytes ? bytes.subarray(next, at) : value]
  }
}

const decode = (message: Buffer): Counters => {
  const counters = new Map<string, Counter>()
  for (const [, stat] of fields(message)) {
    const parts = new Map(fields(stat as Buffer))
    const match = name.exec(String(parts.get(1) ?? ""))
    if (match === null) continue
    const [, user = "", direction] = match
    const value = BigInt((parts.get(2) as bigint | undefined) ?? 0n)
    const before = counters.get(user) ?? { up: 0n, down: 0n }
    counters.set(user, direction === "uplink" ? { ...before, up: value } : { ...before, down: value })
  }
  return counters
}

/** Reads the counters of the sing-box whose statistics are answered at `address` (`127.0.0.1:port`). */
export const read = (address: string, timeout = 5000): Promise<Counters> =>
  new Promise((resolve, reject) => {
    const session = connect(`http://${address}`)
    session.once("error", reject)
    session.setTimeout(timeout, () => session.destroy(new Error("the counters are not answered")))
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers"
    })
    const parts: Array<Buffer> = []
    let status: string | undefined
    stream.on("response", (headers) => (status ??= headers["grpc-status"] as string | undefined))
    stream.on("trailers", (trailers) => (status ??= trailers["grpc-status"] as string | undefined))
    stream.on("data", (part: Buffer) => parts.push(part))
    stream.once("error", reject)
    stream.once("end", () => {
      session.close()
      const answer = Buffer.concat(parts)
      if (String(status ?? "0") !== "0" || answer.length < 5) reject(new Error(`grpc-status ${status}`))
      else resolve(decode(answer.subarray(5, 5 + answer.readUInt32BE(1))))
    })
    stream.end(Buffer.alloc(5))
  })

/** The sum of counters whose pair name passes. */
export const sum = (counters: Counters, wanted: (name: string) => boolean): Counter => {
  let [up, down] = [0n, 0n]
  for (const [name, counter] of counters) {
    if (!wanted(name)) continue
    up += counter.up
    down += counter.down
  }
  return { up, down }
}
