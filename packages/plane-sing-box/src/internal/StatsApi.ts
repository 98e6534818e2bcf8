/**
 * The counters of a running sing-box: V2Ray's `StatsService` over gRPC, read without resetting.
 *
 * The two messages are written out by hand: `QueryStatsRequest{patterns=3 repeated string}` and
 * `QueryStatsResponse{stat=1 repeated {name=1 string, value=2 int64}}`.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire"
import { Client, credentials } from "@grpc/grpc-js"
import { SingBoxServer, type DataPlane } from "@vpnmgr/core"
import { Effect } from "effect"
import { describe, type Failure, unreachable } from "./Failure.ts"

const method = "/v2ray.core.app.stats.command.StatsService/QueryStats"

/** How long one answer may take, ms. */
const timeout = 10_000

const request = Buffer.from(new BinaryWriter().tag(3, WireType.LengthDelimited).string("user>>>").finish())

const readStat = (reader: BinaryReader): readonly [name: string, value: bigint] => {
  const end = reader.uint32() + reader.pos
  let name = ""
  let value = 0n
  while (reader.pos < end) {
    const [field, type] = reader.tag()
    if (field === 1) name = reader.string()
    else if (field === 2) value = BigInt(reader.int64())
    else reader.skip(type)
  }
  return [name, value]
}

const readStats = (bytes: Uint8Array): ReadonlyArray<readonly [name: string, value: bigint]> => {
  const reader = new BinaryReader(bytes)
  const stats: Array<readonly [string, bigint]> = []
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (field === 1) stats.push(readStat(reader))
    else reader.skip(type)
  }
  return stats
}

const countersOf = (stats: ReadonlyArray<readonly [string, bigint]>): ReadonlyArray<DataPlane.Counter> => {
  const counters = new Map<string, DataPlane.Counter>()
  for (const [name, value] of stats) {
    const [kind, user = "", , direction] = name.split(">>>")
    const pair = SingBoxServer.parsePair(user)
    if (kind !== "user" || pair === undefined) continue
    const counter = counters.get(user) ?? { ...pair, up: 0n, down: 0n }
    counters.set(user, direction === "uplink" ? { ...counter, up: value } : { ...counter, down: value })
  }
  return [...counters.values()]
}

/** What every pair has transferred since the run began; pairs without a connection yet are left out. */
export const query = (address: string): Effect.Effect<ReadonlyArray<DataPlane.Counter>, Failure> =>
  Effect.acquireUseRelease(
    Effect.sync(
      () => new Client(address, credentials.createInsecure(), { "grpc.max_receive_message_length": 1 << 28 })
    ),
    (client) =>
      Effect.callback<ReadonlyArray<DataPlane.Counter>, Failure>((resume) => {
        const call = client.makeUnaryRequest(
          method,
          (bytes: Buffer) => bytes,
          (bytes) => countersOf(readStats(bytes)),
          request,
          { deadline: Date.now() + timeout },
          (error, counters) =>
            resume(
              error === null && counters !== undefined
                ? Effect.succeed(counters)
                : Effect.fail(unreachable(`the statistics do not answer: ${describe(error)}`))
            )
        )
        return Effect.sync(() => call.cancel())
      }),
    (client) => Effect.sync(() => client.close())
  )
