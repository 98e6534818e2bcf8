/** The port's errors, by the words a driver needs for them. */
import { DataPlane } from "@vpnmgr/core"

/** Everything that a driver fails with. */
export type Failure = DataPlane.DataPlaneError

/** What was thrown, as one line. */
export const describe = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message : String(cause)
  const inner = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : ""
  return `${text}${inner}`.replaceAll(/\s+/g, " ").trim().slice(0, 2000)
}

export const unreachable = (detail: string): Failure =>
  new DataPlane.DataPlaneError({ reason: new DataPlane.PlaneUnreachable({ detail }) })

export const rejected = (detail: string): Failure =>
  new DataPlane.DataPlaneError({ reason: new DataPlane.PlaneRejected({ detail }) })

export const restarted = (): Failure => new DataPlane.DataPlaneError({ reason: new DataPlane.PlaneRestarted() })
