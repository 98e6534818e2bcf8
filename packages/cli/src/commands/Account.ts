/** `vpnmgr session`, `password` and `admin`: who is signed in, and passwords, one's own and others'. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { both, print, withServer } from "../client/Answer.ts"
import * as Sessions from "../client/Sessions.ts"
import * as Show from "../output/Show.ts"
import * as Inputs from "./Inputs.ts"
import * as Password from "./Password.ts"
import { remoteOnly } from "./Session.ts"
import * as Verb from "./Verb.ts"

const ended = (count: number): string => (count === 1 ? "1 session ended" : `${count} sessions ended`)

const list = Verb.list("list", {
  description: "List sessions that are good now: everybody's for a superuser, else one's own",
  examples: ["vpnmgr session list", "vpnmgr session list --user bob"],
  flags: { user: Inputs.optionalReference("user", "Only of this user") },
  call: (client, { user }, page) => client.sessions.list({ query: { ...page, user_id: user }, ...both }),
  columns: [
    ["id", (session) => session.id],
    ["user", (session) => session.userId],
    ["since", (session) => Show.instant(session.createdAt)],
    ["until", (session) => Show.instant(session.expiresAt)],
    ["this one", (session) => Show.yes(session.isCurrent)]
  ],
  none: "Nobody is signed in."
})

const revoke = Verb.verb("revoke", {
  description: "Revoke a session: its token is refused from then on",
  examples: ["vpnmgr session revoke 01994a3f-1234-7abc-8def-0123456789ab --yes"],
  flags: { id: Inputs.id("session", "session list") },
  confirm: ({ id }) => `Revoke the session ${id}? Whoever is signed in by it has to sign in again.`,
  call: (client, { id }) => client.sessions.revoke({ params: { id }, ...both }),
  view: (_, __, { id }) => `Session ${id} is revoked.`
})

const revokeAll = Verb.verb("revoke-all", {
  description: "Revoke all sessions of a user, this one among them when they are one's own",
  examples: ["vpnmgr session revoke-all bob --yes"],
  flags: { user: Inputs.it("user") },
  headers: "create",
  confirm: ({ user }) => `Revoke all sessions of ${user.text}?`,
  call: (client, { user }) => client.sessions.revokeAll({ payload: { userId: user }, ...both }),
  view: ({ endedSessions }) => `${ended(endedSessions)}.`
})

const renew = Command.make(
  "renew",
  {},
  Effect.fn(function* () {
    const url = yield* remoteOnly
    yield* withServer(({ client }) =>
      Effect.gen(function* () {
        const answer = yield* client.session.renew(both)
        yield* Sessions.keep(url, answer[0].token)
        yield* print(answer, ({ expiresAt }) => `Signed in to ${url} until ${Show.instant(expiresAt)}.`)
      })
    )
  })
).pipe(
  Command.withDescription("Stay signed in for another hour, to seven days at most; the new token is kept for --url"),
  Command.withExamples([{ command: "vpnmgr session renew --url https://vpn.example.org" }])
)

/** The noun with its verbs. */
export const session = Command.make("session").pipe(
  Command.withDescription("Who is signed in"),
  Command.withSubcommands([list, revoke, revokeAll, renew])
)

/** Changes one's own password. */
export const password = Verb.verb("password", {
  description: "Change one's own password on a server; every other session of one's own ends",
  examples: [
    "vpnmgr password --url https://vpn.example.org",
    [
      "vpnmgr password --url https://vpn.example.org --current-password-file old.txt --password-file new.txt",
      "Without being asked"
    ]
  ],
  flags: {
    currentFile: Inputs.file("current-password-file", "Read the password of now from the file's first line"),
    passwordFile: Inputs.passwordFile
  },
  call: (client, { currentFile, passwordFile }) =>
    Effect.gen(function* () {
      const currentPassword = yield* Password.read("Your password now", currentFile)
      const newPassword = yield* Password.choose(passwordFile)
      return yield* client.session.changePassword({ payload: { currentPassword, newPassword }, ...both })
    }),
  view: ({ endedSessions }) => `Your password is changed; ${ended(endedSessions)}.`
})

const resetPassword = Verb.verb("reset-password", {
  description: "Give a user another password: asked for, from a file, or made and shown once; its sessions end",
  examples: [
    ["vpnmgr admin reset-password ada", "On the server's own host, also while no server runs"],
    ["vpnmgr admin reset-password ada --generate", "A random one, shown this once"]
  ],
  flags: {
    user: Inputs.it("user"),
    passwordFile: Inputs.passwordFile,
    generate: Inputs.toggle("generate", "Make a random password and show it this once")
  },
  headers: "create",
  call: (client, { generate, passwordFile, user }) =>
    Effect.flatMap(generate ? Effect.succeed({}) : given(passwordFile), (payload) =>
      client.users.resetPassword({ params: { id: user }, payload, ...both })
    ),
  view: ({ endedSessions, password }, _, { user }) =>
    [
      `User ${user} has another password; ${ended(endedSessions)}.`,
      ...(password === null ? [] : [`password  ${password}  (shown this once)`])
    ].join("\n")
})

const given = (file: string | undefined) => Effect.map(Password.choose(file), (password) => ({ password }))

/** What helps when nobody can sign in. */
export const admin = Command.make("admin").pipe(
  Command.withDescription("What helps when nobody can sign in"),
  Command.withSubcommands([resetPassword])
)
