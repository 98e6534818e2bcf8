/** Every store suite at once: what an adapter's own test calls. */
import * as AdmissionSuite from "./AdmissionSuite.ts"
import * as AuditStoreSuite from "./AuditStoreSuite.ts"
import * as AuditTrailSuite from "./AuditTrailSuite.ts"
import * as BucketStoreSuite from "./BucketStoreSuite.ts"
import * as ConvergenceSuite from "./ConvergenceSuite.ts"
import * as CredentialStoreSuite from "./CredentialStoreSuite.ts"
import * as FleetSuite from "./FleetSuite.ts"
import * as IdempotencyStoreSuite from "./IdempotencyStoreSuite.ts"
import * as InventoryStoreSuite from "./InventoryStoreSuite.ts"
import * as LeaseStoreSuite from "./LeaseStoreSuite.ts"
import * as NodeStateStoreSuite from "./NodeStateStoreSuite.ts"
import * as QuarantineStoreSuite from "./QuarantineStoreSuite.ts"
import * as QuarantineSuite from "./QuarantineSuite.ts"
import * as RecordStoreSuite from "./RecordStoreSuite.ts"
import * as SettingStoreSuite from "./SettingStoreSuite.ts"
import type { Capabilities, StoresLayer } from "./Stores.ts"
import * as SubscriptionListSuite from "./SubscriptionListSuite.ts"
import * as SubscriptionStoreSuite from "./SubscriptionStoreSuite.ts"
import * as TransactionSuite from "./TransactionSuite.ts"
import * as UsageStoreSuite from "./UsageStoreSuite.ts"
import * as UsageSumsSuite from "./UsageSumsSuite.ts"
import * as UserStoreSuite from "./UserStoreSuite.ts"

/** Runs all of them on a store. The layer is built once for each suite. */
export const suite = (name: string, stores: StoresLayer, capabilities: Capabilities): void => {
  TransactionSuite.suite(name, stores)
  SettingStoreSuite.suite(name, stores)
  IdempotencyStoreSuite.suite(name, stores)
  AuditStoreSuite.suite(name, stores)
  UserStoreSuite.suite(name, stores)
  InventoryStoreSuite.suite(name, stores)
  FleetSuite.suite(name, stores)
  LeaseStoreSuite.suite(name, stores)
  SubscriptionStoreSuite.suite(name, stores)
  SubscriptionListSuite.suite(name, stores)
  CredentialStoreSuite.suite(name, stores)
  BucketStoreSuite.suite(name, stores)
  AdmissionSuite.suite(name, stores)
  UsageStoreSuite.suite(name, stores, capabilities)
  UsageSumsSuite.suite(name, stores)
  RecordStoreSuite.suite(name, stores)
  QuarantineStoreSuite.suite(name, stores)
  QuarantineSuite.suite(name, stores)
  AuditTrailSuite.suite(name, stores)
  NodeStateStoreSuite.suite(name, stores, capabilities)
  ConvergenceSuite.suite(name, stores)
}
