/** A subscription as people read it. */
import type { Subscriptions } from "@vpnmgr/api"
import type { Connection } from "../client/Connection.ts"
import { showBytes, showSpeed } from "../output/Amount.ts"
import * as Show from "../output/Show.ts"
import { fields } from "../output/Table.ts"

type View = Subscriptions.SubscriptionView

/** The address its config is fetched by. */
export const linkOf = (
  { configPath }: Pick<View, "configPath">,
  { publicUrl }: Pick<Connection, "publicUrl">
): string => `${publicUrl}${configPath}`

const stateOf = (view: View): string => {
  if (view.state === "expired") return `expired since ${Show.instant(view.expiresAt)}`
  if (view.state !== "over_limit") return view.state
  return view.overLimitUntil === null ? "over limit" : `over limit until ${Show.instant(view.overLimitUntil)}`
}

const givers = { own: "its own limit", owner: "its owner's allowance" } as const

const bindingOf = ({ binding }: View): string | null => {
  if (binding === null) return null
  const { bucket, freesAt, remainingBytes } = binding
  const until = freesAt === null ? "which never starts anew" : `which starts anew ${Show.instant(freesAt)}`
  return `${showBytes(remainingBytes)} of ${givers[bucket]}, ${until}`
}

const speedOf = ({ effectiveSpeed: { from, maxSpeed } }: View): string | null =>
  from === "owner" ? `${showSpeed(maxSpeed)} by ${givers.owner}` : null

const nodesOf = ({ convergence, pendingNodeIds }: View): string => {
  if (convergence.length === 0) return "none"
  const served = convergence.length - pendingNodeIds.length
  const pending = pendingNodeIds.length === 0 ? "" : `; not yet: ${pendingNodeIds.join(", ")}`
  return `${served} of ${convergence.length} serve the newest change${pending}`
}

/** Everything there is to say of one. */
export const one = (view: View, connection: Pick<Connection, "publicUrl">): string =>
  fields([
    ["id", view.id],
    ["title", view.title],
    ["description", view.description],
    ["owner", view.ownerId],
    ["state", stateOf(view)],
    ["used", Show.usedOf(view.usedBytes, view.maxTraffic)],
    ["left", bindingOf(view)],
    ["window ends", Show.instant(view.windowEnd)],
    ["expires", Show.instant(view.expiresAt)],
    ...Show.limits(view),
    ["held to", speedOf(view)],
    ["inbounds", view.inboundIds.join(", ")],
    ["nodes", nodesOf(view)],
    ["link", linkOf(view, connection)],
    ["created", Show.instant(view.createdAt)]
  ])
