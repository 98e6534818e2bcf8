/** Who acts. A host brings its own sign-in and provides this; nothing below asks how somebody signed in. */
import { Context } from "effect"
import * as Id from "./Id.ts"

export interface ActorShape {
  /** The user's id; `Id.system` for what the system does by itself. */
  readonly id: string
  /** `superuser` may do everything; `operator` sees and changes what it owns; `node` is an agent. */
  readonly role: "superuser" | "operator" | "node"
  /** Present when somebody acts for this operator: that superuser's id, or `Id.system`. Rights are the operator's. */
  readonly by?: string
}

export class Actor extends Context.Service<Actor, ActorShape>()("@vpnmgr/core/Actor") {}

/** The system itself: jobs, and the command line on the server's own host. */
export const system: ActorShape = { id: Id.system, role: "superuser" }
