/** What the server may be told: the one Schema, and the table it is made of. */
import { Schema } from "effect"
import { fields } from "./Definition.ts"
import type { Definitions } from "./Definition.ts"
import * as Value from "./Value.ts"

/** Every setting of the server, in the order of the guide. */
export const definitions = {
  dataDirectory: {
    of: Value.Text,
    standard: "./data",
    metavar: "directory",
    meaning: "Where the embedded database, its key and the socket of the command line live."
  },
  databaseUrl: {
    of: Schema.NullOr(Value.Secret),
    standard: null,
    secret: true,
    meaning: "PostgreSQL 15 or newer, postgres://user:password@host/database. Without it, an embedded one."
  },
  databaseListenUrl: {
    of: Schema.NullOr(Value.Secret),
    standard: null,
    secret: true,
    meaning:
      "A URL that reaches PostgreSQL itself, where database_url leads to a pooler in transaction mode: LISTEN needs it."
  },
  databaseSchema: {
    of: Value.Identifier,
    standard: "vpnmgr",
    metavar: "name",
    meaning: "The PostgreSQL schema that holds the tables."
  },
  databaseConnections: {
    of: Value.Whole(1, 1000),
    standard: "10",
    metavar: "count",
    meaning: "How many connections to PostgreSQL are held at most."
  },
  encryptionKey: {
    of: Schema.NullOr(Value.Key),
    standard: null,
    secret: true,
    meaning:
      "What secrets are encrypted with at rest, 32 bytes in base64. The embedded database makes one; PostgreSQL wants it."
  },
  listen: {
    of: Value.Address,
    standard: "127.0.0.1:8080",
    metavar: "address:port",
    meaning: "Where to listen. Elsewhere than on loopback it wants TLS files or trusted proxies."
  },
  tlsCertFile: {
    of: Schema.NullOr(Value.Text),
    standard: null,
    metavar: "file",
    meaning: "The server's certificate chain, PEM."
  },
  tlsKeyFile: {
    of: Schema.NullOr(Value.Text),
    standard: null,
    metavar: "file",
    meaning: "The certificate's private key, PEM."
  },
  trustedProxies: {
    of: Schema.NullOr(Value.List),
    standard: null,
    metavar: "addresses",
    meaning: "Addresses of the proxies in front that end TLS, separated by commas; nobody else is heard without TLS."
  },
  publicUrl: {
    of: Schema.NullOr(Value.Url),
    standard: null,
    metavar: "url",
    meaning: "What clients and nodes reach the server by; printed links begin with it. Default: where it listens."
  },
  configTemplate: {
    of: Schema.NullOr(Value.Text),
    standard: null,
    metavar: "file",
    meaning:
      "A nunjucks file that configs are rendered by; tried before the server starts. Default: the built-in config."
  },
  requestsPerSecond: {
    of: Value.Whole(1, 100_000),
    standard: "200",
    metavar: "count",
    meaning: "How often one person or agent may ask; ten times as often at once. Above, the answer is 429."
  },
  randomLinks: {
    of: Value.OneOf(["yes", "no"]),
    standard: "no",
    metavar: "yes|no",
    meaning:
      "Whether a new subscription's link is random from the start. Otherwise it is its id, which shows when it was made."
  },
  profileUpdateHours: {
    of: Value.Whole(1, 8760),
    standard: "12",
    metavar: "hours",
    meaning: "How often apps should fetch their config."
  },
  supportUrl: {
    of: Schema.NullOr(Value.Url),
    standard: null,
    metavar: "url",
    meaning: "Where apps send a person who needs help."
  },
  profileWebPageUrl: {
    of: Schema.NullOr(Value.Url),
    standard: null,
    metavar: "url",
    meaning: "The page of a subscription that apps link to."
  },
  grain: {
    of: Value.Span(1000),
    standard: "1h",
    metavar: "span",
    meaning: "What windows and anchors are whole multiples of. Fixed by the first start on a database."
  },
  sparesMinimum: {
    of: Value.Whole(0, 100_000),
    standard: "64",
    metavar: "count",
    meaning: "The least number of spare credentials a full pool holds."
  },
  sparesInterval: {
    of: Value.Span(0),
    standard: "1h",
    metavar: "span",
    meaning: "At most one refill in this span: each restarts every node's plane once."
  },
  sparesQuietHour: {
    of: Value.Whole(0, 23),
    standard: "4",
    metavar: "hour",
    meaning: "The hour (UTC) for refills that can wait."
  },
  reportRetention: {
    of: Value.Span(86_400_000),
    standard: "90d",
    metavar: "span",
    meaning: "How long single traffic reports are kept; hourly sums stay."
  },
  accessLogRetention: {
    of: Value.Span(86_400_000),
    standard: "90d",
    metavar: "span",
    meaning: "How long the access log is kept."
  },
  auditRetention: {
    of: Schema.NullOr(Value.Span(86_400_000)),
    standard: null,
    metavar: "span",
    meaning: "How long the audit trail is kept, by whole sealed days. Default: for ever."
  },
  logLevel: {
    of: Value.OneOf(["trace", "debug", "info", "warn", "error"]),
    standard: "info",
    metavar: "level",
    meaning: "What is logged: trace, debug, info, warn or error, and what is graver."
  }
} satisfies Definitions

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/

/** True for a host that only this machine reaches. */
export const isLoopback = (host: string): boolean => loopback.test(host)

const table = Schema.Struct(fields(definitions))
type Table = typeof table.Type

const wrong = (key: keyof Table, issue: string) => ({ path: [key], issue })

/** The settings of the server, and what must hold between them. */
export const ServerSettings = table.pipe(
  Schema.check(
    Schema.makeFilter((settings: Table) => {
      const { databaseUrl, encryptionKey, listen, tlsCertFile, tlsKeyFile, trustedProxies } = settings
      if (tlsCertFile !== null && tlsKeyFile === null) return wrong("tlsKeyFile", "must be set, since tls_cert_file is")
      if (tlsCertFile === null && tlsKeyFile !== null) return wrong("tlsCertFile", "must be set, since tls_key_file is")
      if (!isLoopback(listen.host) && tlsCertFile === null && trustedProxies === null)
        return wrong(
          "listen",
          "elsewhere than on loopback, passwords and links would travel in the clear: " +
            "set tls_cert_file and tls_key_file, or name the proxies that end TLS in trusted_proxies"
        )
      if (databaseUrl !== null && encryptionKey === null)
        return wrong(
          "encryptionKey",
          "must be set with PostgreSQL: vpnmgr key generate --output encryption.key makes one; " +
            "then VPNMGR_ENCRYPTION_KEY_FILE=encryption.key. Keep a copy: without it, the database cannot be read"
        )
      return undefined
    })
  )
)
export type ServerSettings = typeof ServerSettings.Type
