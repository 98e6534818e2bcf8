/** `vpnmgr setup`, `login`, `logout` and `status`: who one is to a server. */
import { Console, Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { ask, both, print, refused, withServer } from "../client/Answer.ts"
import * as Sessions from "../client/Sessions.ts"
import { failed } from "../Failed.ts"
import { Json } from "../GlobalFlags.ts"
import * as Show from "../output/Show.ts"
import { fields } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Password from "./Password.ts"

/** Makes the first superuser of a server with its one-time secret. */
export const setup = Command.make(
  "setup",
  {
    username: Argument.String("username").pipe(Argument.withDescription("Letters, digits and . _ @ -")),
    secretFile: Inputs.file("secret-file", "Read the set-up secret from the file's first line instead of asking"),
    passwordFile: Inputs.passwordFile
  },
  Effect.fn(function* ({ passwordFile, secretFile, username }) {
    const secret = yield* Password.read("The set-up secret that the server printed", secretFile)
    const password = yield* Password.choose(passwordFile)
    yield* ask(
      ({ client }) => client.setup.create({ payload: { secret, username, password }, ...both }),
      (user) => `${user.username} is a superuser now. Sign in elsewhere with: vpnmgr login ${user.username} --url URL`
    )
  })
).pipe(
  Command.withDescription("Make the first superuser with the secret the server printed at its first start"),
  Command.withExamples([
    { command: "vpnmgr setup ada", description: "On the server's own host" },
    { command: "vpnmgr setup ada --url https://vpn.example.org", description: "From elsewhere" }
  ])
)

/** The server named with `--url`; fails without. */
export const remoteOnly = Effect.gen(function* () {
  const { remoteUrl } = yield* Effect.promise(() => import("../client/Connection.ts"))
  const url = yield* remoteUrl
  return url ?? (yield* failed("name the server with --url; on its own host no sign-in is needed"))
})

/** Signs in to a server over the network and keeps its token. */
export const login = Command.make(
  "login",
  {
    username: Argument.String("username").pipe(Argument.withDescription("Who signs in")),
    passwordFile: Inputs.passwordFile
  },
  Effect.fn(function* ({ passwordFile, username }) {
    const url = yield* remoteOnly
    const { remote } = yield* Effect.promise(() => import("../client/Connection.ts"))
    const { client } = yield* remote(url, null)
    const password = yield* Password.read("Password", passwordFile)
    const answer = yield* client.session
      .signIn({ payload: { username, password }, ...both })
      .pipe(Effect.mapError(refused))
    yield* Sessions.keep(url, answer[0].token)
    yield* print(
      answer,
      ({ expiresAt, user }) =>
        `Signed in to ${url} as ${user.username} (${user.role}) until ${Show.instant(expiresAt)}.`
    )
  })
).pipe(
  Command.withDescription("Sign in to a server over the network; the token is kept for --url"),
  Command.withExamples([
    { command: "vpnmgr login ada --url https://vpn.example.org" },
    { command: "vpnmgr user list --url https://vpn.example.org", description: "Afterwards" }
  ])
)

/** Signs out, and forgets the token. */
export const logout = Command.make(
  "logout",
  {},
  Effect.fn(function* () {
    const url = yield* remoteOnly
    yield* withServer(({ client }) => client.session.signOut())
    yield* Sessions.forget(url)
    if (!(yield* Json)) yield* Console.log(`Signed out of ${url}.`)
  })
).pipe(
  Command.withDescription("Sign out of a server over the network; its token is refused from then on"),
  Command.withExamples([{ command: "vpnmgr logout --url https://vpn.example.org" }])
)

const ways = {
  socket: "by its socket",
  network: "over the network",
  store: "its store, opened by this command"
} as const

/** Says whether the server answers, and as whom one asks. */
export const status = Command.make("status", {}, () =>
  withServer(({ client, publicUrl, reached }) =>
    Effect.gen(function* () {
      yield* client.health.ready()
      const answer = yield* client.session.me(both)
      yield* print(answer, ({ role, user }) =>
        fields([
          ["server", reached === "store" ? "none runs" : publicUrl],
          ["reached", ways[reached]],
          ["ready", "yes"],
          ["you are", user === null ? "the system itself" : `${user.username} (${role})`]
        ])
      )
    })
  )
).pipe(
  Command.withDescription("Say whether the server answers, and as whom one asks"),
  Command.withExamples([{ command: "vpnmgr status" }])
)
