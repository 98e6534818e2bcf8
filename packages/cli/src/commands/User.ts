/** `vpnmgr user`: people who sign in. */
import type { Users } from "@vpnmgr/api"
import { Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { both, present } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
import { fields } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Password from "./Password.ts"
import * as UsageView from "./UsageView.ts"
import * as Verb from "./Verb.ts"

const one = (user: Users.UserView): string =>
  fields([
    ["id", user.id],
    ["username", user.username],
    ["role", user.role],
    ["disabled", user.isDisabled ? "yes" : null],
    ["groups", user.groupIds.join(", ")],
    ...Show.limits(user.allowance),
    ["used", Show.usedOf(user.usedBytes, user.allowance.maxTraffic)],
    ["window ends", Show.instant(user.windowEnd)],
    ["over limit", Show.yes(user.isOverLimit)],
    ["created", Show.instant(user.createdAt)],
    ...user.allowance.warnings.map(({ detail }) => ["warning", detail] as const)
  ])

const roles = ["superuser", "operator"] as const

const create = Verb.verb("create", {
  description: "Create a user; its password is asked for",
  examples: [
    ["vpnmgr user create ada --role superuser", "Somebody who may do everything"],
    ["vpnmgr user create bob --group basic --password-file bob.txt", "An operator, without being asked"]
  ],
  flags: {
    username: Argument.String("username").pipe(Argument.withDescription("Letters, digits and . _ @ -")),
    role: Flag.Literals("role", roles).pipe(
      Flag.withDescription("What it may do: everything, or what is its own"),
      Flag.withDefault("operator")
    ),
    groupIds: Inputs.references("group", "A group it is in, by its name or id"),
    passwordFile: Inputs.passwordFile
  },
  headers: "create",
  call: (client, { passwordFile, ...rest }) =>
    Effect.flatMap(Password.choose(passwordFile), (password) =>
      client.users.create({ payload: { ...rest, password }, ...both })
    ),
  view: one
})

const list = Verb.list("list", {
  description: "List users",
  examples: ["vpnmgr user list", ["vpnmgr user list --role operator --group basic", "A group's operators"]],
  flags: {
    role: Inputs.oneOf("role", roles, "Only of this role"),
    group: Inputs.optionalReference("group", "Only members of this group"),
    disabled: Inputs.truth("disabled", "Only who is disabled, or is not"),
    search: Inputs.text("search", "text", "Only with this in the name")
  },
  call: (client, { disabled, group, ...filters }, page) =>
    client.users.list({ query: { ...page, ...filters, group_id: group, is_disabled: disabled }, ...both }),
  columns: [
    ["id", (user) => user.id],
    ["username", (user) => user.username],
    ["role", (user) => user.role],
    ["groups", (user) => String(user.groupIds.length)],
    ["disabled", (user) => Show.yes(user.isDisabled)],
    ["created", (user) => Show.instant(user.createdAt)]
  ],
  none: "There are no users. `vpnmgr user create NAME --role superuser` makes one."
})

const show = Verb.verb("show", {
  description: "Show a user with its allowance and what is used of it",
  examples: ["vpnmgr user show ada", ["vpnmgr user show 01994a3e", "By the beginning of its id"]],
  flags: { user: Inputs.it("user") },
  call: (client, { user }) => client.users.get({ params: { id: user }, ...both }),
  view: one
})

const change = Verb.verb("change", {
  description: "Change a user; what is left out stays",
  examples: [
    ["vpnmgr user change bob --disabled yes", "Signed out at once; its subscriptions go on being served"],
    "vpnmgr user change bob --username robert --role superuser"
  ],
  flags: {
    user: Inputs.it("user"),
    username: Inputs.text("username", "text", "What it signs in as"),
    role: Inputs.oneOf("role", roles, "What it may do"),
    isDisabled: Inputs.truth("disabled", "Whether it cannot sign in")
  },
  headers: "change",
  call: (client, { user, ...payload }) =>
    client.users.change({ params: { id: user }, payload: present(payload), ...both }),
  view: one
})

const remove = Verb.verb("delete", {
  description: "Delete a user that owns no subscriptions any more; its sessions end",
  examples: ["vpnmgr user delete bob", ["vpnmgr user delete bob --yes", "Without being asked"]],
  flags: { user: Inputs.it("user") },
  headers: "change",
  confirm: ({ user }) => `Delete the user ${user.text}?`,
  call: (client, { user }) => client.users.remove({ params: { id: user }, ...both }),
  view: (_, __, { user }) => `User ${user} is deleted.`
})

const setGroups = Verb.verb("set-groups", {
  description: "Replace the groups a user is in; none takes it out of all",
  examples: ["vpnmgr user set-groups bob --group basic --group fast", ["vpnmgr user set-groups bob", "Out of all"]],
  flags: { user: Inputs.it("user"), groupIds: Inputs.references("group", "A group it is in from now on") },
  headers: "change",
  call: (client, { groupIds, user }) =>
    client.users.setGroups({ params: { id: user }, payload: { groupIds }, ...both }),
  view: one
})

const reset = Verb.verb("reset", {
  description: "Start the usage of a user's allowance anew",
  examples: ["vpnmgr user reset bob"],
  flags: { user: Inputs.it("user") },
  headers: "act",
  call: (client, { user }) => client.users.reset({ params: { id: user }, ...both }),
  view: one
})

const usage = Verb.verb("usage", {
  description: "Show what a user's subscriptions used while they were its own: by day, hour or node",
  examples: [
    "vpnmgr user usage bob --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z",
    "vpnmgr user usage bob --by node"
  ],
  flags: {
    user: Inputs.it("user"),
    by: Inputs.oneOf("by", ["day", "hour", "node"], "A row for each of these; days by default"),
    ...UsageView.span
  },
  call: (client, { user, ...query }) => client.users.usage({ params: { id: user }, query, ...both }),
  view: UsageView.rows
})

/** The noun with its verbs. */
export const user = Command.make("user").pipe(
  Command.withDescription("People who sign in: superusers and operators"),
  Command.withSubcommands([create, list, show, usage, change, setGroups, reset, remove])
)
