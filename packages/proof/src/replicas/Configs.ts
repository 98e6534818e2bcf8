/**
 * Configs on several replicas: how stale they may be, with the change listener at work, cut and deaf; and what the cache
 * buys.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type * as Arena from "../Arena.ts"
import * as Expect from "../Expect.ts"
import type * as Report from "../Report.ts"
import * as Server from "../Server.ts"
import { together } from "../Together.ts"
import * as Deaf from "./Deaf.ts"
import * as Staleness from "./Staleness.ts"

const people = 20
const times = 1000

/** Links that are fetched once each, and rounds of that, to be compared with one link fetched as often. */
const links = 400
const rounds = 5

const median = (figures: ReadonlyArray<number>): number => [...figures].sort((a, b) => a - b)[figures.length >> 1]!

/** The sequences of configs, on an arena with a replica. */
export const run = async (report: Report.Report, arena: Arena.Arena): Promise<void> => {
  const { api, database } = arena
  const replica = Expect.present("a replica", arena.replicas[0])
  const inbound_ids = arena.inbounds({ protocols: ["shadowsocks"] })
  const create = (count: number) =>
    together(Array.from({ length: count }), 4, (_, index) => api.create({ title: `fetched ${index}`, inbound_ids }))
  const made = await create(people)

  await report.sequence("staleness", async () => {
    await report.step("suspended on one replica, refused on the other", async () =>
      Staleness.judged(await Staleness.measure(api, replica.url, made, times), times)
    )
    await report.step("the same with the change listener cut again and again", async () => {
      let cuts = 0
      const cut = async () => {
        cuts += (
          await database.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vpnmgr-listener'"
          )
        ).length
      }
      const cutting = setInterval(() => void cut().catch(() => undefined), 200)
      const figures = await Staleness.measure(api, replica.url, made, times).finally(() => clearInterval(cutting))
      Expect.atLeast("listeners cut", cuts, 10)
      return `${Staleness.judged(figures, times)}; ${cuts} listeners cut`
    })
    await report.step("the same with a listener that looks well and hears nothing", async () => {
      const way = await Deaf.open(database.url)
      const options = { main: arena.main, databaseUrl: way.url, encryptionKey: arena.encryptionKey, name: "deaf" }
      const deaf = await Server.make({ ...options, directory: arena.directory, env: arena.serverEnv })
      try {
        await deaf.start()
        await sleep(1000)
        Expect.atLeast("listening connections", way.close(), 1)
        const figures = await Staleness.measure(api, deaf.url, made, times)
        Expect.atLeast("the median staleness, ms: it must have been deaf", Math.round(figures.median), 20)
        return Staleness.judged(figures, times)
      } finally {
        await deaf.stop("SIGKILL")
        way.end()
      }
    })
  })

  await report.sequence("what the cache buys", async () => {
    await report.step("one link against links that are fetched once", async () => {
      const cold = (await create(links)).map(({ config_path }) => `${replica.url}${config_path}`)
      const hot = Array<string>(links).fill(cold[0]!)
      const rates: { readonly hot: Array<number>; readonly cold: Array<number> } = { hot: [], cold: [] }
      for (let round = 0; round < rounds; round++) {
        rates.hot.push(await Staleness.rate(hot))
        await sleep(1100)
        rates.cold.push(await Staleness.rate(cold))
      }
      const [kept, asked] = [median(rates.hot), median(rates.cold)]
      return `${kept.toFixed(0)} against ${asked.toFixed(0)} fetches/s: ratio ${(kept / asked).toFixed(1)}`
    })
  })
}
