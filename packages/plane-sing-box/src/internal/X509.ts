/** Self-signed certificates, ECDSA P-256 with SHA-256 (RFC 5280, RFC 5758). */
import { AsnConvert, OctetString } from "@peculiar/asn1-schema"
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_kp_serverAuth,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version
} from "@peculiar/asn1-x509"
import { generateKeyPairSync, randomBytes, sign } from "node:crypto"
import { isIP } from "node:net"

const ecdsaWithSha256 = () => new AlgorithmIdentifier({ algorithm: "1.2.840.10045.4.3.2" })
const commonName = "2.5.4.3"

/** A key and its certificate, PEM. */
export interface Pair {
  readonly certificate: string
  readonly key: string
}

export interface Request {
  /** A host name or an address; the certificate's only subject. */
  readonly serverName: string
  readonly notBefore: Date
  readonly notAfter: Date
}

const pem = (label: string, der: ArrayBuffer): string => {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n")
}

const extension = (extnID: string, critical: boolean, value: object): Extension =>
  new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) })

const nameOf = (serverName: string): Name =>
  new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({
        type: commonName,
        value: new AttributeValue({ utf8String: serverName.slice(0, 64) })
      })
    ])
  ])

/** 16 random bytes, positive, as RFC 5280 4.1.2.2 asks. */
const serialNumber = (): ArrayBuffer => {
  const bytes = Uint8Array.from(randomBytes(16))
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.buffer
}

/** Makes a new key and signs its certificate with it. */
export const selfSigned = ({ notAfter, notBefore, serverName }: Request): Pair => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const name = nameOf(serverName)
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: ecdsaWithSha256(),
    issuer: name,
    subject: name,
    validity: new Validity({ notBefore, notAfter }),
    subjectPublicKeyInfo: AsnConvert.parse(publicKey.export({ type: "spki", format: "der" }), SubjectPublicKeyInfo),
    extensions: new Extensions([
      extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: false })),
      extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.digitalSignature)),
      extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth])),
      extension(
        id_ce_subjectAltName,
        false,
        new SubjectAlternativeName([
          new GeneralName(isIP(serverName) === 0 ? { dNSName: serverName } : { iPAddress: serverName })
        ])
      )
    ])
  })
  const signature = sign("sha256", Buffer.from(AsnConvert.serialize(tbsCertificate)), privateKey)
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: ecdsaWithSha256(),
    signatureValue: Uint8Array.from(signature).buffer
  })
  return {
    certificate: pem("CERTIFICATE", AsnConvert.serialize(certificate)),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  }
}
