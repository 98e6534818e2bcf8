/** The audit log in memory. */
import { Effect, HashMap, Layer } from "effect"
import { AuditStore } from "../AuditLog.ts"
import { AlreadyExists, StoreError } from "../Transaction.ts"
import { Memory } from "./Memory.ts"
import { placeOf } from "./SealStore.ts"
import { newest } from "./Tables.ts"

export const layer = Layer.effect(
  AuditStore,
  Effect.map(Memory, ({ read, write }) =>
    AuditStore.of({
      append: (records) =>
        write((tables) => {
          if (records.some(({ id }) => HashMap.has(tables.audit, id))) {
            return new StoreError({ reason: new AlreadyExists({ field: "id" }) })
          }
          tables.audit = HashMap.setMany(
            tables.audit,
            records.map((record) => [record.id, record])
          )
          tables.auditDays = HashMap.setMany(
            tables.auditDays,
            records.map((record) => [record.id, placeOf(tables, record)])
          )
        }),
      list: ({ actorId, action, targetType, targetId, from, to }, page) =>
        read(({ audit }) =>
          newest(
            [...HashMap.values(audit)].filter(
              (record) =>
                (actorId === undefined || record.actorId === actorId) &&
                (action === undefined || record.action === action) &&
                (targetType === undefined || record.targetType === targetType) &&
                (targetId === undefined || record.targetId === targetId) &&
                (from === undefined || record.timestamp >= from) &&
                (to === undefined || record.timestamp < to)
            ),
            page
          )
        )
    })
  )
)
