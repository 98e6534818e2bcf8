/** The yardstick of everything that is written: COPY of as many rows, as wide, into a table without an index. */
import { randomUUID } from "node:crypto"
import type { Site } from "./Site.ts"

/** Makes it; each call copies `batches` batches of `size` rows, a transaction each, and answers the milliseconds. */
export const make = async ({ sql }: Site, size: number, batches: number): Promise<() => Promise<number>> => {
  await sql.run("CREATE TABLE IF NOT EXISTS copied (LIKE traffic_report)")
  const columns = await sql.run(
    `SELECT atttypid::regtype::text FROM pg_attribute
      WHERE attrelid = 'copied'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`
  )
  const values: Readonly<Record<string, string>> = {
    uuid: randomUUID(),
    "timestamp with time zone": new Date().toISOString(),
    bigint: "10000",
    numeric: "11000000"
  }
  const row = columns.map((type) => values[type]!).join("\t")
  const batch = `COPY copied FROM STDIN;\n${`${row}\n`.repeat(size)}\\.\n`
  const timed = async (count: number) => {
    const began = performance.now()
    await sql.script(Array<string>(count).fill(batch))
    return performance.now() - began
  }
  return async () => {
    const opened = await timed(0)
    return (await timed(batches)) - opened
  }
}
