/** Ids of the raw rows of one batch: UUIDv7s of its interval's end that share their random bits and differ by the row. */
import type { Instant } from "@vpnmgr/core"
import { Id } from "@vpnmgr/core"
import type { SqlClient, Statement } from "effect/sql"

/** Where the number of the row lies among the hex digits. */
const from = 18
const to = 22

/** Added to the number, so that it has four digits without being padded: an id is made for every row there is. */
const least = 0x1000

/** Makes the ids of a batch; up to 61,439 of them, in the order of their numbers. */
export const make = (instant: Instant.Instant) => {
  const digits = Id.v7(instant, crypto.getRandomValues(new Uint8Array(10))).replaceAll("-", "")
  const [head, tail] = [digits.slice(0, from), digits.slice(to)]
  return {
    at: (row: number): string => {
      const text = head + (least + row).toString(16) + tail
      return [0, 8, 12, 16, 20].map((start, index) => text.slice(start, [8, 12, 16, 20, 32][index])).join("-")
    },
    /** The id as SQL, of a row whose number is SQL. */
    sql: (sql: SqlClient.SqlClient, row: Statement.Fragment): Statement.Fragment =>
      sql`(${head}::text || to_hex(${row} + ${least}::int) || ${tail}::text)::uuid`
  }
}
