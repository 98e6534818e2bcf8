/** Every port of core over whatever client there is. */
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
  UserStore,
  Vault
} from "@vpnmgr/core"
import { Layer } from "effect"
import type { SqlClient } from "effect/sql"
import type { StartRefused } from "./Failure.ts"
import type { Listener } from "./Listener.ts"
import * as PgAuditLog from "./PgAuditLog.ts"
import * as PgBucketStore from "./PgBucketStore.ts"
import * as PgCredentialStore from "./PgCredentialStore.ts"
import * as PgIdempotencyStore from "./PgIdempotencyStore.ts"
import * as PgInventoryStore from "./PgInventoryStore.ts"
import * as PgLeaseStore from "./PgLeaseStore.ts"
import * as PgNodeStateStore from "./PgNodeStateStore.ts"
import * as PgQuarantineStore from "./PgQuarantineStore.ts"
import * as PgRecordStore from "./PgRecordStore.ts"
import * as PgSealStore from "./PgSealStore.ts"
import * as PgSettingStore from "./PgSettingStore.ts"
import * as PgSubscriptionStore from "./PgSubscriptionStore.ts"
import * as PgTransaction from "./PgTransaction.ts"
import * as PgUsageStore from "./PgUsageStore.ts"
import * as PgUserStore from "./PgUserStore.ts"
import * as Setup from "./Setup.ts"

/** What a store package provides. */
export type Stores =
  | AuditLog.AuditStore
  | BucketStore.BucketStore
  | CredentialStore.CredentialStore
  | IdempotencyStore.IdempotencyStore
  | InventoryStore.InventoryStore
  | LeaseStore.LeaseStore
  | NodeStateStore.NodeStateStore
  | QuarantineStore.QuarantineStore
  | RecordStore.RecordStore
  | SealStore.SealStore
  | SettingStore.SettingStore
  | SubscriptionStore.SubscriptionStore
  | Transaction.Transaction
  | UsageStore.UsageStore
  | UserStore.UserStore

/** All stores in a schema, which is migrated and checked before any of them serves. */
export const layer = (
  schema: string
): Layer.Layer<Stores, StartRefused, SqlClient.SqlClient | Vault.Vault | Listener> =>
  Layer.mergeAll(
    PgTransaction.layer,
    PgAuditLog.layer,
    PgSettingStore.layer,
    PgIdempotencyStore.layer,
    PgUserStore.layer,
    PgInventoryStore.layer,
    PgLeaseStore.layer,
    PgSubscriptionStore.layer,
    PgCredentialStore.layer,
    PgBucketStore.layer,
    PgUsageStore.layer,
    PgRecordStore.layer,
    PgQuarantineStore.layer,
    PgSealStore.layer,
    PgNodeStateStore.layer
  ).pipe(Layer.provide(Setup.layer(schema)))
