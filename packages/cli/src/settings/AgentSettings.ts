/** What the agent of a node may be told: flags and environment, no file. */
import { Schema } from "effect"
import { fields } from "./Definition.ts"
import type { Definitions } from "./Definition.ts"
import * as Value from "./Value.ts"

/** Every setting of the agent. */
export const definitions = {
  url: {
    of: Value.Url,
    standard: null,
    metavar: "url",
    meaning: "The server. Off loopback it must be https."
  },
  nodeKey: {
    of: Value.Secret,
    standard: null,
    secret: true,
    meaning: "The node's 32-character key, as vpnmgr token create prints it."
  },
  agentDirectory: {
    of: Value.Text,
    standard: "./agent",
    metavar: "directory",
    meaning: "Where the spool, the state and sing-box's configuration are kept."
  },
  singBox: {
    of: Value.Text,
    standard: "sing-box",
    metavar: "file",
    meaning: "The sing-box program, built with v2ray_api."
  },
  readEvery: {
    of: Value.Span(100),
    standard: "2s",
    metavar: "span",
    meaning: "How often counters are read: what a crash of sing-box may lose."
  },
  reportEvery: {
    of: Value.Span(100),
    standard: "10s",
    metavar: "span",
    meaning: "How often what was counted is reported."
  },
  allowInsecure: {
    of: Value.OneOf(["no", "yes"]),
    standard: "no",
    metavar: "yes|no",
    meaning: "Whether http:// to another machine will do: the node's key and state then travel in the clear."
  },
  logLevel: {
    of: Value.OneOf(["trace", "debug", "info", "warn", "error"]),
    standard: "info",
    metavar: "level",
    meaning: "What is logged: trace, debug, info, warn or error, and what is graver."
  }
} satisfies Definitions

/** The settings of an agent. */
export const AgentSettings = Schema.Struct(fields(definitions))
export type AgentSettings = typeof AgentSettings.Type
