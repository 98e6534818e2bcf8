/** Transactions over the memory tables: one at a time, so that none is ever in another's way. */
import { Effect, Layer } from "effect"
import { Transaction } from "../Transaction.ts"
import { Memory } from "./Memory.ts"

export const layer = Layer.effect(
  Transaction,
  Effect.map(Memory, ({ run }) => Transaction.of({ run }))
)
