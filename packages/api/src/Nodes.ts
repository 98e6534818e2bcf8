/** Nodes and the tokens of their agents (`/api/v1/nodes`, `/api/v1/node-tokens`). For superusers. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Id, Node, Wire } from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import { describe, ShownOnce } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"
import * as Version from "./Version.ts"

const { description, geo, purpose, linkSpeed } = Node.Node.to.fields

/** A node with what is known of its agent. */
export const NodeView = Wire.struct({ ...Node.Node.to.fields, health: Node.NodeHealth })
export type NodeView = typeof NodeView.Type

/** What is absent is null; in a change it stays, and null clears. */
export const NewNode = Wire.struct({
  description: Schema.optionalKey(description),
  geo: Schema.optionalKey(geo),
  purpose: Schema.optionalKey(purpose),
  linkSpeed: Schema.optionalKey(linkSpeed)
})

/** A token with its key, which is shown this once: null when the answer is repeated. */
export const NewNodeToken = Wire.struct({ ...Node.NodeToken.to.fields, key: Schema.NullOr(Schema.String) })

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
      query: {
        ...Page.query,
        geo: Schema.optional(Wire.text(2000)),
        purpose: Schema.optional(Wire.text(2000)),
        active: Schema.optional(Page.Flag),
        search: Schema.optional(Page.Search)
      },
      success: Page.of(NodeView),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "List nodes",
        "For superusers. By id, ascending, with their health; every filter that is given must fit. active: statistics came within the last 60 s. search: text anywhere in the description, whatever its case."
      )
    ),
    HttpApiEndpoint.get("get", "/nodes/:id", {
      params,
      success: Version.of(NodeView),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "Get a node",
        "For superusers. A node is active while it reports: the last time at most 60 s ago. health.pending_changes counts inbounds, credentials and buckets that it has not said to serve (1000: that or more); health.is_cloned says that two agents report with one token."
      )
    ),
    HttpApiEndpoint.patch("change", "/nodes/:id", {
      params,
      payload: NewNode,
      success: Version.of(NodeView),
      error: Problem.editing
    }).annotateMerge(
      describe("Change a node", "For superusers. What is absent stays, null clears. link_speed in bit/s.")
    ),
    HttpApiEndpoint.delete("remove", "/nodes/:id", { params, error: Problem.editing }).annotateMerge(
      describe(
        "Delete a node",
        "For superusers. 422 while it has inbounds. Its tokens are revoked at once: an agent that still holds traffic cannot report it any more, so wait until the node served the deletion of its inbounds (health.pending_changes is 0). What it reported stays."
      )
    ),
    HttpApiEndpoint.post("createToken", "/nodes/:id/tokens", {
      params,
      success: NewNodeToken.pipe(HttpApiSchema.status(201)),
      error: Problem.changing
    })
      .annotateMerge(
        describe(
          "Create a node token",
          "Answers its key (32 characters) this once; it is good until it is revoked. Repeated under an Idempotency-Key, the key is null."
        )
      )
      .annotate(ShownOnce, ["key"]),
    HttpApiEndpoint.get("listTokens", "/nodes/:id/tokens", {
      params,
      success: Wire.struct({ items: Schema.Array(Node.NodeToken) }),
      error: Problem.reading
    }).annotateMerge(describe("List a node's tokens", "Without their keys, which nobody has but the agent.")),
    HttpApiEndpoint.get("getToken", "/node-tokens/:id", {
      params,
      success: Node.NodeToken,
      error: Problem.reading
    }).annotateMerge(describe("Get a node token", "For superusers. Without its key.")),
    HttpApiEndpoint.post("revokeToken", "/node-tokens/:id/revoke", {
      params,
      success: Node.NodeToken,
      error: Problem.changing
    }).annotateMerge(
      describe(
        "Revoke a node token",
        "The agent that has its key is refused from then on, and a poll that waits with it ends at once."
      )
    )
  )
  .middleware(SignedIn)
  .prefix("/api/v1")
  .annotateMerge(describe("Nodes", "Servers that carry traffic, and the keys of their agents.")) {}
