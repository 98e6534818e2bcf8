/** Rules on what a plane serves: when it differs, how little of it remains, when the clock alone changes it. */
import { Instant, type NodeState, type Serving } from "@vpnmgr/core"

const sameSet = (a: ReadonlySet<number>, b: ReadonlySet<number>): boolean =>
  a.size === b.size && [...a].every((item) => b.has(item))

const sameAccess = (a: Serving.ServedCredential["access"], b: Serving.ServedCredential["access"]): boolean =>
  a.size === b.size &&
  [...a].every(([inbound, access]) => {
    const other = b.get(inbound)
    return other === access || JSON.stringify(other) === JSON.stringify(access)
  })

/** True when a plane that serves one serves the other. */
export const equal = (a: Serving.Serving, b: Serving.Serving): boolean =>
  (a.inbounds === b.inbounds || JSON.stringify(a.inbounds) === JSON.stringify(b.inbounds)) &&
  a.credentials.length === b.credentials.length &&
  a.credentials.every((one, index) => {
    const other = b.credentials[index]
    return (
      other !== undefined &&
      one.ref === other.ref &&
      sameSet(one.open, other.open) &&
      sameAccess(one.access, other.access)
    )
  })

/**
 * What may be served when the plane rejects the wanted state: the inbounds and credentials of the state it accepted,
 * open only where the wanted state opens them too. So whoever must be cut is cut all the same.
 */
export const narrow = (
  accepted: Pick<NodeState.NodeState, "inbounds" | "credentials">,
  wanted: Serving.Serving
): Serving.Serving => {
  const known = new Set(accepted.inbounds.map(({ ref }) => ref))
  const open = new Map(wanted.credentials.map((credential) => [credential.ref, credential.open]))
  return {
    inbounds: accepted.inbounds,
    credentials: accepted.credentials.map(({ ref, access }) => ({
      ref,
      access: new Map(access.map((one) => [one.inbound, one.access])),
      open: new Set([...(open.get(ref) ?? [])].filter((inbound) => known.has(inbound)))
    }))
  }
}

/** What is served of one where another cuts: open is what both open. */
export const within = (served: Serving.Serving, cut: Serving.Serving): Serving.Serving => {
  const open = new Map(cut.credentials.map((credential) => [credential.ref, credential.open]))
  return {
    inbounds: served.inbounds,
    credentials: served.credentials.map((credential) => ({
      ...credential,
      open: new Set([...credential.open].filter((inbound) => open.get(credential.ref)?.has(inbound) === true))
    }))
  }
}

/** The next instant at which the clock alone may change who is served; `Infinity` = never. */
export const nextChange = (
  state: Pick<NodeState.NodeState, "credentials">,
  standings: ReadonlyMap<number, NodeState.Standing>,
  now: Instant.Instant
): Instant.Instant => {
  let next: Instant.Instant = Instant.never
  const consider = (instant: Instant.Instant | null): void => {
    if (instant !== null && instant > now && instant < next) next = instant
  }
  for (const { serveFrom, serveUntil } of state.credentials) {
    consider(serveFrom)
    consider(serveUntil)
  }
  for (const { windowEnd, blockedUntil } of standings.values()) {
    consider(windowEnd + 1)
    if (blockedUntil !== null) consider(blockedUntil + 1)
  }
  return next
}
