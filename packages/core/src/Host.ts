/** What a person may type for a host: a domain name (RFC 1123) or an address. What is stored already is not judged. */
import { Schema } from "effect"
import { isAddress } from "./Listen.ts"

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i

/** True for a domain name of one label or more, without the root's dot; a last label of digits would be an address. */
export const isDomain = (text: string): boolean => {
  const labels = text.split(".")
  return text.length <= 253 && labels.every((each) => label.test(each)) && !/^\d+$/.test(labels.at(-1)!)
}

/** A domain name, such as `www.example.com`. */
export const Domain = Schema.String.pipe(
  Schema.check(Schema.isMaxLength(253)),
  Schema.check(Schema.makeFilter((text: string) => isDomain(text) || "Expected a domain name, such as www.example.com"))
)

/** A domain name or an IPv4 or IPv6 address, without brackets or a port. */
export const Host = Schema.String.pipe(
  Schema.check(Schema.isMaxLength(253)),
  Schema.check(
    Schema.makeFilter(
      (text: string) =>
        isDomain(text) || isAddress(text) || "Expected a domain name or an IP address, such as vpn.example.com"
    )
  )
)

/** A file on the node: an absolute path. */
export const Path = Schema.String.pipe(
  Schema.check(Schema.isMaxLength(4096)),
  Schema.check(
    Schema.makeFilter(
      (text: string) =>
        (/^\/./.test(text) && !text.includes("\u0000") && text.isWellFormed()) ||
        "Expected an absolute path on the node, such as /etc/ssl/vpn.pem"
    )
  )
)
