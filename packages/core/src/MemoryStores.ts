/**
 * Every store port in memory, over one set of tables: for tests, examples and whoever tries the core before there is
 * a database. Nothing outlives the layer.
 */
import { Layer } from "effect"
import * as AuditLog from "./memory/AuditLog.ts"
import * as BucketStore from "./memory/BucketStore.ts"
import { Contents } from "./memory/Contents.ts"
import * as CredentialStore from "./memory/CredentialStore.ts"
import * as IdempotencyStore from "./memory/IdempotencyStore.ts"
import * as InventoryStore from "./memory/InventoryStore.ts"
import * as LeaseStore from "./memory/LeaseStore.ts"
import { Memory } from "./memory/Memory.ts"
import * as NodeStateStore from "./memory/NodeStateStore.ts"
import * as QuarantineStore from "./memory/QuarantineStore.ts"
import * as RecordStore from "./memory/RecordStore.ts"
import * as SealStore from "./memory/SealStore.ts"
import * as SettingStore from "./memory/SettingStore.ts"
import * as SubscriptionStore from "./memory/SubscriptionStore.ts"
import * as Transaction from "./memory/Transaction.ts"
import * as UsageStore from "./memory/UsageStore.ts"
import * as UserStore from "./memory/UserStore.ts"

export { Contents } from "./memory/Contents.ts"

/** The stores and their `Transaction`; an empty store each time it is built. */
export const layer = Layer.mergeAll(
  Transaction.layer,
  Contents.layer,
  AuditLog.layer,
  SettingStore.layer,
  IdempotencyStore.layer,
  UserStore.layer,
  InventoryStore.layer,
  LeaseStore.layer,
  SubscriptionStore.layer,
  CredentialStore.layer,
  BucketStore.layer,
  UsageStore.layer,
  RecordStore.layer,
  QuarantineStore.layer,
  SealStore.layer,
  NodeStateStore.layer
).pipe(Layer.provide(Memory.layer))
