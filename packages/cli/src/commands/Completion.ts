/** `vpnmgr completion`: what teaches a shell the commands. */
import { Console, Effect } from "effect"
import { Argument, Command, Completions, GlobalFlag } from "effect/cli"
import * as GlobalFlags from "../GlobalFlags.ts"

type Descriptor = Completions.CommandDescriptor
type Flag = Completions.FlagDescriptor

const files = /(^|-)(file|output|config|template)$/
const directories = /(^|-)directory$/

/** Says of a flag whose name says so that it takes a file or a directory. */
const withPaths = (flag: Flag): Flag => {
  if (flag.type._tag !== "String") return flag
  if (files.test(flag.name)) return { ...flag, type: { _tag: "Path", pathType: "file" } }
  return directories.test(flag.name) ? { ...flag, type: { _tag: "Path", pathType: "directory" } } : flag
}

/** The flags that every command takes, as a command of their own would have them. */
const globals = Completions.fromCommand(
  Command.make(
    "globals",
    Object.fromEntries([...GlobalFlags.all, GlobalFlag.Help].map(({ flag }, index) => [String(index), flag]))
  )
).flags.map((flag) => (flag.name === "help" ? { ...flag, negation: false as const } : flag))

/** Adds what every command takes: the library's description of a tree leaves it out. */
const whole = (command: Descriptor): Descriptor => {
  const own = new Set(command.flags.map(({ name }) => name))
  return {
    ...command,
    flags: [...command.flags, ...globals.filter(({ name }) => !own.has(name))].map(withPaths),
    subcommands: command.subcommands.map(whole)
  }
}

/** The script for a shell. */
export const script = (root: Command.Command.Any, shell: Completions.Shell): string =>
  Completions.generate("vpnmgr", shell, whole(Completions.fromCommand(root)))

/** Makes the command; `root` is the tree it stands in. */
export const completion = (root: () => Command.Command.Any) =>
  Command.make(
    "completion",
    {
      shell: Argument.Literals("shell", ["bash", "zsh", "fish", "powershell"]).pipe(
        Argument.withDescription("The shell that is to complete")
      )
    },
    ({ shell }) => Effect.suspend(() => Console.log(script(root(), shell)))
  ).pipe(
    Command.withDescription("Print the script by which a shell completes commands, flags and files"),
    Command.withExamples([
      { command: "source <(vpnmgr completion bash)", description: "In this bash" },
      {
        command: "vpnmgr completion bash > ~/.local/share/bash-completion/completions/vpnmgr",
        description: "In every bash that has bash-completion"
      },
      { command: "vpnmgr completion zsh > ~/.zfunc/_vpnmgr", description: "zsh, where ~/.zfunc is in fpath" },
      { command: "vpnmgr completion fish > ~/.config/fish/completions/vpnmgr.fish", description: "fish" }
    ])
  )
