/** `vpnmgr user`: people who sign in. */
import type { Users } from "@vpnmgr/api"
import { Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask, both } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
import { fields, table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Password from "./Password.ts"

const one = (user: Users.UserView): string =>
  fields([
    ["id", user.id],
    ["username", user.username],
    ["role", user.role],
    ["groups", user.groupIds.join(", ")],
    ...Show.limits(user.allowance),
    ["used", Show.usedOf(user.usedBytes, user.allowance.maxTraffic)],
    ["window ends", Show.instant(user.windowEnd)],
    ["over limit", Show.yes(user.isOverLimit)],
    ["created", Show.instant(user.createdAt)],
    ...user.allowance.warnings.map(({ detail }) => ["warning", detail] as const)
  ])

const create = Command.make(
  "create",
  {
    username: Argument.String("username").pipe(Argument.withDescription("Letters, digits and . _ @ -")),
    role: Flag.Literals("role", ["superuser", "operator"]).pipe(
      Flag.withDescription("What it may do: everything, or what is its own"),
      Flag.withDefault("operator")
    ),
    groupIds: Inputs.ids("group", "A group it is in"),
    passwordFile: Inputs.passwordFile
  },
  Effect.fn(function* ({ groupIds, passwordFile, role, username }) {
    const password = yield* Password.choose(passwordFile)
    yield* ask((client) => client.users.create({ payload: { username, password, role, groupIds }, ...both }), one)
  })
).pipe(
  Command.withDescription("Create a user; its password is asked for"),
  Command.withExamples([
    { command: "vpnmgr user create ada --role superuser", description: "Somebody who may do everything" },
    { command: "vpnmgr user create bob --password-file bob.txt", description: "An operator, without being asked" }
  ])
)

const list = Command.make("list", Inputs.page, (query) =>
  ask(
    (client) => client.users.list({ query, ...both }),
    ({ items, nextCursor }) =>
      table(
        [
          ["id", (user) => user.id],
          ["username", (user) => user.username],
          ["role", (user) => user.role],
          ["groups", (user) => String(user.groupIds.length)],
          ["created", (user) => Show.instant(user.createdAt)]
        ],
        items,
        "There are no users. `vpnmgr user create NAME --role superuser` makes one."
      ) + Show.more(nextCursor)
  )
).pipe(Command.withDescription("List users"), Command.withExamples([{ command: "vpnmgr user list" }]))

const show = Command.make("show", { id: Inputs.id("user") }, ({ id }) =>
  ask((client) => client.users.get({ params: { id }, ...both }), one)
).pipe(
  Command.withDescription("Show a user with its allowance and what is used of it"),
  Command.withExamples([{ command: "vpnmgr user show 01994a3e-1b7c-7c3e-9d7b-0c1d2e3f4a5b" }])
)

const setGroups = Command.make(
  "set-groups",
  { id: Inputs.id("user"), groupIds: Inputs.ids("group", "A group it is in from now on") },
  ({ groupIds, id }) => ask((client) => client.users.setGroups({ params: { id }, payload: { groupIds }, ...both }), one)
).pipe(
  Command.withDescription("Replace the groups a user is in; none takes it out of all"),
  Command.withExamples([
    {
      command:
        "vpnmgr user set-groups 01994a3e-1b7c-7c3e-9d7b-0c1d2e3f4a5b --group 01994a3f-77aa-7e01-8c11-5e6f7a8b9c0d"
    }
  ])
)

const reset = Command.make("reset", { id: Inputs.id("user") }, ({ id }) =>
  ask((client) => client.users.reset({ params: { id }, ...both }), one)
).pipe(
  Command.withDescription("Start the usage of a user's allowance anew"),
  Command.withExamples([{ command: "vpnmgr user reset 01994a3e-1b7c-7c3e-9d7b-0c1d2e3f4a5b" }])
)

/** The noun with its verbs. */
export const user = Command.make("user").pipe(
  Command.withDescription("People who sign in: superusers and operators"),
  Command.withSubcommands([create, list, show, setGroups, reset])
)
