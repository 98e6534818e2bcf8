/**
 * Certificates that the agent makes for inbounds without one, kept for as long as the inbound's server name stays.
 * Clients pin them, so a new one is made only when the kept one cannot be used.
 */
import type { Inbound, SingBoxServer } from "@vpnmgr/core"
import { Effect } from "effect"
import { createPrivateKey, X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import { join } from "node:path"
import * as Directory from "./Directory.ts"
import type { Failure } from "./Failure.ts"
import * as X509 from "./X509.ts"

const day = 86_400_000
const lifetime = 3650 * day
const renewBefore = 30 * day

export interface Certificate {
  /** The inbound's `ref`. */
  readonly inbound: number
  readonly pem: string
  readonly files: SingBoxServer.TlsFiles
}

const isUsable = (certificate: string, key: string, serverName: string, now: number): boolean => {
  try {
    const parsed = new X509Certificate(certificate)
    const named = isIP(serverName) === 0 ? parsed.checkHost(serverName) : parsed.checkIP(serverName)
    return (
      named !== undefined &&
      parsed.checkPrivateKey(createPrivateKey(key)) &&
      parsed.validToDate.getTime() > now + renewBefore
    )
  } catch {
    return false
  }
}

const ensureOne = Effect.fnUntraced(function* (directory: string, inbound: number, serverName: string, now: number) {
  const files = {
    certificatePath: join(directory, `certificate-${inbound}.pem`),
    keyPath: join(directory, `key-${inbound}.pem`)
  }
  const [pem, key] = yield* Effect.all([Directory.read(files.certificatePath), Directory.read(files.keyPath)])
  if (pem !== undefined && key !== undefined && isUsable(pem, key, serverName, now)) return { inbound, pem, files }
  const made = X509.selfSigned({
    serverName,
    notBefore: new Date(now - day),
    notAfter: new Date(now + lifetime)
  })
  yield* Directory.write(files.keyPath, made.key)
  yield* Directory.write(files.certificatePath, made.certificate)
  return { inbound, pem: made.certificate, files }
})

/** A certificate for every active inbound that wants the agent's own: the kept one, or one for the next ten years. */
export const ensure = (
  directory: string,
  inbounds: ReadonlyArray<Inbound.NodeInbound>,
  now: number
): Effect.Effect<ReadonlyArray<Certificate>, Failure> =>
  Effect.forEach(
    inbounds.flatMap(({ isActive, ref, settings }) =>
      isActive && settings.protocol === "hysteria2" && settings.tls.mode === "agent"
        ? [{ ref, serverName: settings.tls.serverName }]
        : []
    ),
    ({ ref, serverName }) => ensureOne(directory, ref, serverName, now)
  )
