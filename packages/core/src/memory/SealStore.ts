/** The days of the audit trail and their seals, in memory. */
import { Effect, HashMap, Layer } from "effect"
import type { AuditRecord } from "../AuditLog.ts"
import type { AuditSeal, Day } from "../AuditSeal.ts"
import { dayOf, startOf } from "../AuditSeal.ts"
import { SealStore } from "../SealStore.ts"
import { Memory } from "./Memory.ts"
import type { Tables } from "./Tables.ts"
import { byId, find, newest, oldest } from "./Tables.ts"

const dayAfter = (day: Day): Day => dayOf(startOf(day) + 86_400_000)

/** The day a record appended now belongs to: that of its timestamp, or the first that is not closed. */
export const placeOf = ({ auditClosed }: Readonly<Tables>, { timestamp }: AuditRecord): Day => {
  const day = dayOf(timestamp)
  return auditClosed === null || day > auditClosed ? day : dayAfter(auditClosed)
}

const sealsOf = ({ auditSeals }: Readonly<Tables>): ReadonlyArray<AuditSeal> => byId(HashMap.values(auditSeals))

const recordsOf = ({ audit, auditDays }: Readonly<Tables>, day: Day) =>
  [...HashMap.values(audit)].filter(({ id }) => find(auditDays, id) === day)

export const layer = Layer.effect(
  SealStore,
  Effect.map(Memory, ({ read, write }) =>
    SealStore.of({
      close: (day) =>
        write((tables) => {
          if (tables.auditClosed === null || tables.auditClosed < day) tables.auditClosed = day
        }),
      nextUnsealed: read((tables) => {
        const last = sealsOf(tables).at(-1)?.day ?? ""
        const closed = tables.auditClosed ?? ""
        const days = [...HashMap.values(tables.auditDays)].filter((day) => day > last && day <= closed)
        return days.sort()[0] ?? null
      }),
      records: (day, page) => read((tables) => oldest(recordsOf(tables, day), page)),
      add: (seal) =>
        write((tables) => {
          if (HashMap.has(tables.auditSeals, seal.day)) return false
          tables.auditSeals = HashMap.set(tables.auditSeals, seal.day, { ...seal, detachedAt: null })
          return true
        }),
      list: ({ from, to }, page) =>
        read((tables) =>
          newest(
            sealsOf(tables).filter(
              ({ day }) => (from === undefined || startOf(day) >= from) && (to === undefined || startOf(day) < to)
            ),
            page
          )
        ),
      detach: (before, limit, at) =>
        write((tables) => {
          const seals = sealsOf(tables)
            .filter(({ day, detachedAt }) => detachedAt === null && day < before)
            .slice(0, limit)
            .map((seal) => ({ ...seal, detachedAt: at }))
          for (const seal of seals) {
            for (const { id } of recordsOf(tables, seal.day)) {
              tables.audit = HashMap.remove(tables.audit, id)
              tables.auditDays = HashMap.remove(tables.auditDays, id)
            }
            tables.auditSeals = HashMap.set(tables.auditSeals, seal.day, seal)
          }
          return seals
        })
    })
  )
)
