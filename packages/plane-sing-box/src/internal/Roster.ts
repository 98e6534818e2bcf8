/** Whom and what a run of sing-box knows, and by which rules it was rendered: enough to tell whether it can serve a new state without a restart. */
import { type Inbound, type Serving, SingBoxServer } from "@vpnmgr/core"
import { Schema } from "effect"
import { createHash } from "node:crypto"

export const Roster = Schema.Struct({
  /** Digests of what signs in, by pair name. */
  pairs: Schema.Record(Schema.String, Schema.String),
  /** Fingerprints of the inbounds that are open, by `ref`. */
  inbounds: Schema.Record(Schema.String, Schema.String),
  /** `Rendering.nameOf` what it was started with; absent in notes of agents that did not keep it. */
  rendering: Schema.optionalKey(Schema.String)
})
export type Roster = typeof Roster.Type

const digest = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("base64url").slice(0, 22)

const fingerprint = ({ listen, port, settings }: Inbound.NodeInbound, certificate: string | undefined): string =>
  digest([listen, port, settings, certificate ?? null])

/** What a config rendered from `serving` would know. `certificates` are the agent's own, PEM, by the inbound's `ref`. */
export const of = (serving: Serving.Serving, certificates: ReadonlyMap<number, string>, rendering: string): Roster => {
  const pairs = SingBoxServer.knownPairs(serving)
  const known = new Set(pairs.map(({ inbound }) => inbound))
  return {
    rendering,
    pairs: Object.fromEntries(pairs.map(({ access, name }) => [name, digest(access)])),
    inbounds: Object.fromEntries(
      serving.inbounds
        .filter(({ ref }) => known.has(ref))
        .map((inbound) => [inbound.ref, fingerprint(inbound, certificates.get(inbound.ref))])
    )
  }
}

/**
 * True when a run can serve the wished state by its selectors alone: it was rendered by the same rules, knows everybody
 * and every inbound, and has no inbound open that is gone. An inbound that is only inactive may stay open: nobody is let in.
 */
export const covers = (running: Roster, wanted: Roster, serving: Serving.Serving): boolean => {
  const present = new Set(serving.inbounds.map(({ ref }) => String(ref)))
  return (
    running.rendering === wanted.rendering &&
    Object.entries(wanted.inbounds).every(([ref, print]) => running.inbounds[ref] === print) &&
    Object.entries(wanted.pairs).every(([name, access]) => running.pairs[name] === access) &&
    Object.keys(running.inbounds).every((ref) => present.has(ref))
  )
}

/** The pairs that may pass and that the run knows by the very access they have now. */
export const openIn = (running: Roster, wanted: Roster, serving: Serving.Serving): ReadonlySet<string> =>
  new Set(
    SingBoxServer.knownPairs(serving)
      .filter(({ name, open }) => open && running.pairs[name] === wanted.pairs[name])
      .map(({ name }) => name)
  )

/** Tells one roster from another. */
export const digestOf = (roster: Roster): string => digest(roster)
