/** Nodes and the tokens of their agents (`/api/v1/nodes`, `/api/v1/node-tokens`). For superusers. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Id, Node, Wire } from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import { describe } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"
import * as Version from "./Version.ts"

const { description, geo, purpose, linkSpeed } = Node.Node.to.fields

/** A node with what is known of its agent. */
export const NodeView = Wire.struct({ ...Node.Node.to.fields, health: Node.NodeHealth })
export type NodeView = typeof NodeView.Type

/** What is absent is null. */
export const NewNode = Wire.struct({
  description: Schema.optionalKey(description),
  geo: Schema.optionalKey(geo),
  purpose: Schema.optionalKey(purpose),
  linkSpeed: Schema.optionalKey(linkSpeed)
})

/** A token with its key, which is shown this once. */
export const NewNodeToken = Wire.struct({ ...Node.NodeToken.to.fields, key: Schema.String })

const params = { id: Id.Uuid }

export class Nodes extends HttpApiGroup.make("nodes")
  .add(
    HttpApiEndpoint.post("create", "/nodes", {
      payload: NewNode,
      success: Version.of(NodeView.pipe(HttpApiSchema.status(201))),
      error: Problem.changing
    }).annotateMerge(
      describe(
        "Create a node",
        "link_speed in bit/s: reports faster than twice that go to quarantine; null = 400 Gbit/s."
      )
    ),
    HttpApiEndpoint.get("list", "/nodes", {
      query: Page.query,
      success: Page.of(NodeView),
      error: Problem.reading
    }).annotateMerge(describe("List nodes", "By id, ascending, with their health.")),
    HttpApiEndpoint.get("get", "/nodes/:id", {
      params,
      success: Version.of(NodeView),
      error: Problem.reading
    }).annotateMerge(describe("Get a node", "A node is active while it reports: the last time at most 60 s ago.")),
    HttpApiEndpoint.post("createToken", "/nodes/:id/tokens", {
      params,
      success: NewNodeToken.pipe(HttpApiSchema.status(201)),
      error: Problem.changing
    }).annotateMerge(
      describe("Create a node token", "Answers its key (32 characters) this once; it is good until it is revoked.")
    ),
    HttpApiEndpoint.get("listTokens", "/nodes/:id/tokens", {
      params,
      success: Wire.struct({ items: Schema.Array(Node.NodeToken) }),
      error: Problem.reading
    }).annotateMerge(describe("List a node's tokens", "Without their keys, which nobody has but the agent.")),
    HttpApiEndpoint.post("revokeToken", "/node-tokens/:id/revoke", {
      params,
      success: Node.NodeToken,
      error: Problem.changing
    }).annotateMerge(describe("Revoke a node token", "The agent that has its key is refused from then on."))
  )
  .middleware(SignedIn)
  .prefix("/api/v1")
  .annotateMerge(describe("Nodes", "Servers that carry traffic, and the keys of their agents.")) {}
