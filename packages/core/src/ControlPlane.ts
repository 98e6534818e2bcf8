/** Every service of the control plane over the store ports, as one layer: what an embedder provides stores to. */
import { Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { AuditTrail } from "./AuditTrail.ts"
import { ConfigDelivery } from "./ConfigDelivery.ts"
import { Directory } from "./Directory.ts"
import { Enforcer } from "./Enforcer.ts"
import { Inbounds } from "./Inbounds.ts"
import { Inventory } from "./Inventory.ts"
import { NodeStates } from "./NodeStates.ts"
import { Quarantine } from "./Quarantine.ts"
import { Records } from "./Records.ts"
import { Sessions } from "./Sessions.ts"
import { Spares } from "./Spares.ts"
import { Subscriptions } from "./Subscriptions.ts"

/**
 * `Enforcer`, `Subscriptions`, `Directory`, `Sessions`, `Inventory`, `Inbounds`, `Spares`, `NodeStates`, `ConfigDelivery`, `Records`
 * and `Quarantine`. Needs the stores and `Transaction`; randomness is Web Crypto's.
 */
export const layer = Layer.mergeAll(
  Enforcer.layer,
  Directory.layer,
  Sessions.layer,
  Inventory.layer,
  Inbounds.layer,
  NodeStates.layer,
  ConfigDelivery.layer,
  Records.layer,
  Quarantine.layer,
  AuditTrail.layer,
  Subscriptions.layer
).pipe(Layer.provideMerge(Spares.layer), Layer.provideMerge(SecureRandom.layerWebCrypto))
