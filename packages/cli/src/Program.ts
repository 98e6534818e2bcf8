/** The command `vpnmgr`: its nouns, and what becomes of a failure. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Layer } from "effect"
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "effect/cli"
import { admin, password, session } from "./commands/Account.ts"
import { agent } from "./commands/Agent.ts"
import { audit } from "./commands/Audit.ts"
import { completion } from "./commands/Completion.ts"
import { config } from "./commands/Config.ts"
import { group } from "./commands/Group.ts"
import { inbound } from "./commands/Inbound.ts"
import { key } from "./commands/Key.ts"
import { migrate } from "./commands/Migrate.ts"
import { node } from "./commands/Node.ts"
import { quarantine } from "./commands/Quarantine.ts"
import { accessLog, reportConflict, trafficReport } from "./commands/Reports.ts"
import { serve } from "./commands/Serve.ts"
import { login, logout, setup, status } from "./commands/Session.ts"
import { spares } from "./commands/Spares.ts"
import { subscription } from "./commands/Subscription.ts"
import { token } from "./commands/Token.ts"
import { user } from "./commands/User.ts"
import * as ExitCode from "./ExitCode.ts"
import { Failed } from "./Failed.ts"
import * as GlobalFlags from "./GlobalFlags.ts"
import { printable } from "./output/Text.ts"
import { BadSettings } from "./settings/Sources.ts"
import { version } from "./Version.ts"

/** The whole tree of commands. */
export const root = Command.make("vpnmgr").pipe(
  Command.withDescription(
    "Who may use the VPN, how much, and through which nodes: the server, the agent, the administration"
  ),
  Command.withSubcommands([
    { group: "Run", commands: [serve, agent, migrate, config, key, completion((): Command.Command.Any => root)] },
    { group: "People", commands: [setup, login, logout, status, password, session, user, group, admin] },
    { group: "Traffic", commands: [node, token, inbound, subscription, spares] },
    { group: "Look back", commands: [audit, trafficReport, accessLog, quarantine, reportConflict] }
  ]),
  Command.withGlobalFlags(GlobalFlags.all)
)

/** Help goes to stdout, whole; a wrong call gets its reason on stderr, and for people the way to the help. */
const presenter = (json: boolean) =>
  CliOutput.layerPresenter({
    present: (event) => {
      if (event._tag !== "InvalidInvocation") return CliOutput.defaultPresenter.present(event)
      const reasons = event.errors.map(({ message }) => message)
      if (json) return Console.error(JSON.stringify({ detail: reasons.join("; ") }))
      const lines = reasons.flatMap((reason) => reason.split("\n")).map((line) => `vpnmgr: ${printable(line)}`)
      return Console.error([...lines, `See: ${event.commandPath.join(" ")} --help`].join("\n"))
    }
  })

const settings = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })

const [done, failure, usageError, interrupted] = [0, 1, 2, 130] as const satisfies ReadonlyArray<ExitCode.ExitCode>

/** Says on stderr why it failed: in words, or the API's problem with `--json`. */
const complain = (error: unknown, json: boolean) => {
  if (error instanceof Failed && json) return Console.error(JSON.stringify(error.problem ?? { detail: error.message }))
  if (error instanceof BadSettings && json) return Console.error(JSON.stringify({ detail: error.message }))
  const words = error instanceof Error ? error.message : String(error)
  return Console.error(
    words
      .split("\n")
      .map((line) => `vpnmgr: ${printable(line)}`)
      .join("\n")
  )
}

/** Runs the command line and answers the exit code. */
export const run = (argv: ReadonlyArray<string>): Promise<ExitCode.ExitCode> =>
  Command.runWith(root, { version })(argv).pipe(
    Effect.provide(Layer.mergeAll(NodeServices.layer, settings, presenter(argv.includes("--json")))),
    Effect.exit,
    Effect.flatMap((exit): Effect.Effect<ExitCode.ExitCode> => {
      if (Exit.isSuccess(exit)) return Effect.succeed(done)
      if (Cause.hasInterruptsOnly(exit.cause)) return Effect.succeed(interrupted)
      const error = Cause.squash(exit.cause)
      if (CliError.isCliError(error) && error._tag === "ShowHelp")
        return Effect.succeed(error.errors.length > 0 ? usageError : done)
      const code = error instanceof Failed ? ExitCode.of(error) : failure
      return Effect.as(complain(error, argv.includes("--json")), code)
    }),
    Effect.runPromise
  )
