/** The books of everybody once more, when all is over: what was settled stays as it was, counted neither again nor away. */
import * as Subscriber from "../Subscriber.ts"
import type { Run } from "./Run.ts"

/** Compares usage, plane, origin and client of everybody who had traffic. */
export const books = (golden: Run): Promise<void> =>
  golden.report.sequence("books", async () => {
    const { unbooked, report, subscribers } = golden
    await report.step("books: everybody's, once more", async () => {
      const kept = subscribers.filter((subscriber) => !unbooked.has(subscriber))
      let bytes = 0n
      let count = 0
      const dropped = subscribers.reduce((sum, subscriber) => sum + subscriber.dropped(), 0)
      for (const subscriber of kept) {
        const accounts = await subscriber.accounts()
        if (Subscriber.total(accounts.client) === 0n) continue
        Subscriber.agree(await subscriber.settled(15_000))
        bytes += Subscriber.total(accounts.usage)
        count++
      }
      return `${count} subscriptions, ${bytes} B: usage = plane for each; ${dropped} requests dropped by sing-box itself`
    })
  })
