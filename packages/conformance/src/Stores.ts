/** What a store adapter provides, and what it can: the input of every store suite. */
import type {
  AuditLog,
  BucketStore,
  CredentialStore,
  IdempotencyStore,
  InventoryStore,
  LeaseStore,
  NodeStateStore,
  QuarantineStore,
  RecordStore,
  SealStore,
  SettingStore,
  SubscriptionStore,
  Transaction,
  UsageStore,
  UserStore
} from "@vpnmgr/core"
import { layer } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import type { Layer } from "effect"

/** Every store port. */
export type Stores =
  | Transaction.Transaction
  | AuditLog.AuditStore
  | SettingStore.SettingStore
  | UserStore.UserStore
  | IdempotencyStore.IdempotencyStore
  | InventoryStore.InventoryStore
  | LeaseStore.LeaseStore
  | SubscriptionStore.SubscriptionStore
  | CredentialStore.CredentialStore
  | BucketStore.BucketStore
  | UsageStore.UsageStore
  | RecordStore.RecordStore
  | SealStore.SealStore
  | QuarantineStore.QuarantineStore
  | NodeStateStore.NodeStateStore

/** What a store is capable of; what it is not is not asked of it. */
export interface Capabilities {
  /** True when transactions run side by side; false for a store that runs them one at a time. */
  readonly sideBySide: boolean
}

/** A layer that provides every store port. The database may be shared by suites: each test makes what it needs. */
export type StoresLayer = Layer.Layer<Stores, unknown>

/** Opens a suite on a store with the real clock: a database does not know a test clock. */
export const describeStore = (
  name: string,
  stores: StoresLayer,
  tests: (it: Vitest.MethodsNonLive<Stores>) => void
): void => layer(stores, { timeout: "60 seconds", excludeTestServices: true })(name, tests)
