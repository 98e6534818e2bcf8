/** `vpnmgr token`: the keys of nodes' agents. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as fs from "node:fs"
import { both } from "../client/Answer.ts"
import { failed } from "../Failed.ts"
import * as Show from "../output/Show.ts"
import { fields, table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Verb from "./Verb.ts"

const node = Inputs.referenceFlag("node", "The node it is for")

const write = (path: string, key: string) =>
  Effect.try({
    try: () => fs.writeFileSync(path, `${key}\n`, { mode: 0o600, flag: "wx" }),
    catch: (error) => failed(`${path}: ${error instanceof Error ? error.message : "cannot be written"}`)
  })

const create = Verb.verb("create", {
  description: "Make a key for a node's agent; it is shown this once",
  examples: [
    ["vpnmgr token create --node 01994a40 --output node.key", "Into a file of mode 600"],
    "vpnmgr token create --node 01994a40"
  ],
  flags: {
    node,
    output: Inputs.file("output", "Write the key to a new file of mode 600 instead of showing it")
  },
  headers: "create",
  call: (client, { node, output }) =>
    Effect.gen(function* () {
      if (output !== undefined && fs.existsSync(output)) return yield* failed(`${output} is there already`)
      const answer = yield* client.nodes.createToken({ params: { id: node }, ...both })
      const { key } = answer[0]
      if (key === null) return yield* failed("The key was shown before; revoke this token and create another")
      if (output !== undefined) yield* write(output, key)
      return answer
    }),
  view: (token, _, { output }) =>
    fields([
      ["id", token.id],
      ["node", token.nodeId],
      output === undefined ? ["key", `${token.key}  (shown this once)`] : ["key", `in ${output}`]
    ])
})

const list = Verb.verb("list", {
  description: "List a node's tokens, without their keys",
  examples: ["vpnmgr token list --node 01994a40"],
  flags: { node },
  call: (client, { node }) => client.nodes.listTokens({ params: { id: node }, ...both }),
  view: ({ items }) =>
    table(
      [
        ["id", (token) => token.id],
        ["created", (token) => Show.instant(token.createdAt)],
        ["revoked", (token) => Show.instant(token.revokedAt, "no")]
      ],
      items,
      "The node has no tokens. `vpnmgr token create` makes one."
    )
})

const show = Verb.verb("show", {
  description: "Show a token, without its key",
  examples: ["vpnmgr token show 01994a41-5d6e-7f80-9a1b-2c3d4e5f6071"],
  flags: { id: Inputs.id("token", "token list") },
  call: (client, { id }) => client.nodes.getToken({ params: { id }, ...both }),
  view: (token) =>
    fields([
      ["id", token.id],
      ["node", token.nodeId],
      ["created", Show.instant(token.createdAt)],
      ["revoked", Show.instant(token.revokedAt, "no")]
    ])
})

const revoke = Verb.verb("revoke", {
  description: "Revoke a token: the agent that has its key is refused from then on",
  examples: ["vpnmgr token revoke 01994a41-5d6e-7f80-9a1b-2c3d4e5f6071 --yes"],
  flags: { id: Inputs.id("token", "token list") },
  headers: "create",
  confirm: ({ id }) => `Revoke the token ${id}? The agent that has its key is refused from then on.`,
  call: (client, { id }) => client.nodes.revokeToken({ params: { id }, ...both }),
  view: (token) => `Token ${token.id} is revoked since ${Show.instant(token.revokedAt)}.`
})

/** The noun with its verbs. */
export const token = Command.make("token").pipe(
  Command.withDescription("Keys of the nodes' agents"),
  Command.withSubcommands([create, list, show, revoke])
)
