/** `vpnmgr token`: the keys of nodes' agents. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as fs from "node:fs"
import { ask, both, print, withServer } from "../client/Answer.ts"
import { failed } from "../Failed.ts"
import * as Show from "../output/Show.ts"
import { fields, table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import { nodeFlag } from "./Node.ts"

const write = (path: string, key: string) =>
  Effect.try({
    try: () => fs.writeFileSync(path, `${key}\n`, { mode: 0o600, flag: "wx" }),
    catch: (error) => failed(`${path}: ${error instanceof Error ? error.message : "cannot be written"}`)
  })

const create = Command.make(
  "create",
  {
    id: nodeFlag,
    output: Inputs.text("output", "file", "Write the key to a new file of mode 600 instead of showing it")
  },
  ({ id, output }) =>
    withServer(({ client }) =>
      Effect.gen(function* () {
        if (output !== undefined && fs.existsSync(output)) return yield* failed(`${output} is there already`)
        const answer = yield* client.nodes.createToken({ params: { id }, ...both })
        const [token] = answer
        if (output !== undefined) yield* write(output, token.key)
        yield* print(answer, () =>
          fields([
            ["id", token.id],
            ["node", token.nodeId],
            output === undefined ? ["key", `${token.key}  (shown this once)`] : ["key", `in ${output}`]
          ])
        )
      })
    )
).pipe(
  Command.withDescription("Make a key for a node's agent; it is shown this once"),
  Command.withExamples([
    { command: "vpnmgr token create --node 01994a40-0c2d-7b1f-b6a0-112233445566 --output node.key" }
  ])
)

const list = Command.make("list", { id: nodeFlag }, ({ id }) =>
  ask(
    (client) => client.nodes.listTokens({ params: { id }, ...both }),
    ({ items }) =>
      table(
        [
          ["id", (token) => token.id],
          ["created", (token) => Show.instant(token.createdAt)],
          ["revoked", (token) => Show.instant(token.revokedAt, "no")]
        ],
        items,
        "The node has no tokens. `vpnmgr token create` makes one."
      )
  )
).pipe(
  Command.withDescription("List a node's tokens, without their keys"),
  Command.withExamples([{ command: "vpnmgr token list --node 01994a40-0c2d-7b1f-b6a0-112233445566" }])
)

const revoke = Command.make("revoke", { id: Inputs.id("token") }, ({ id }) =>
  ask(
    (client) => client.nodes.revokeToken({ params: { id }, ...both }),
    (token) => `Token ${token.id} is revoked since ${Show.instant(token.revokedAt)}.`
  )
).pipe(
  Command.withDescription("Revoke a token: the agent that has its key is refused from then on"),
  Command.withExamples([{ command: "vpnmgr token revoke 01994a41-5d6e-7f80-9a1b-2c3d4e5f6071" }])
)

/** The noun with its verbs. */
export const token = Command.make("token").pipe(
  Command.withDescription("Keys of the nodes' agents"),
  Command.withSubcommands([create, list, revoke])
)
