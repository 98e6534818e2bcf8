/** The table of `docs/guide/cli.md`, made of the commands themselves; a test compares them. */
import { Completions } from "effect/cli"
import type { Command } from "effect/cli"
import { root } from "../src/Program.ts"
import { commands, operations } from "./Operations.ts"

/** A command that does something, with its path. */
export interface Leaf {
  readonly path: string
  readonly command: Command.Command.Any
}

const leavesOf = (command: Command.Command.Any, path: ReadonlyArray<string>): ReadonlyArray<Leaf> => {
  const subs = command.subcommands.flatMap(({ commands }) => commands)
  if (subs.length === 0) return [{ path: path.join(" "), command }]
  return subs.flatMap((sub) => leavesOf(sub, [...path, sub.name]))
}

/** The flags a command has, without those of every command. */
export const flagsOf = ({ command }: Leaf): ReadonlyArray<string> =>
  Completions.fromCommand(command).flags.map(({ name }) => name)

/** Every command that does something, in the order of the help. */
export const leaves: ReadonlyArray<Leaf> = leavesOf(root, [])

const routesOf = (path: string): string =>
  Object.entries(commands)
    .filter(([, command]) => command === path)
    .map(([operation]) => `\`${operations.get(operation)?.route}\``)
    .join(", ")

/** One row for each command. */
export const commandTable = (): string =>
  [
    "| command | what it does | operation |",
    "|---|---|---|",
    ...leaves.map(
      ({ command, path }) =>
        `| \`vpnmgr ${path}\` | ${(command.description ?? "").replaceAll("|", "\\|")} | ${routesOf(path)} |`
    )
  ].join("\n")
