/** `vpnmgr agent`: counts, reports and enforces on a node. */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Load from "../settings/Load.ts"

/** Runs the agent of a node until it is stopped; sing-box goes on. */
export const agent = Command.make(
  "agent",
  {
    keyFile: Flag.String("key-file").pipe(
      Flag.withMetavar("file"),
      Flag.withDescription("The file with the node's key; VPNMGR_NODE_KEY or VPNMGR_NODE_KEY_FILE"),
      Flag.optional
    ),
    ...Load.agentFlags
  },
  Effect.fn(function* ({ keyFile, ...flags }) {
    const settings = yield* Load.agent(flags, keyFile)
    const { run } = yield* Effect.promise(() => import("../agent/RunAgent.ts"))
    yield* run(settings)
  })
).pipe(
  Command.withDescription("Run a node's agent over sing-box; stopping it leaves sing-box running"),
  Command.withExamples([
    {
      command:
        "vpnmgr agent --url https://vpn.example.org --key-file node.key --directory /var/lib/vpnmgr-agent --sing-box /usr/local/bin/sing-box"
    }
  ])
)
