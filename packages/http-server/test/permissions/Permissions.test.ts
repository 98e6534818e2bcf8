/**
 * Runs the table of `docs/guide/permissions.md` cell by cell over HTTP, each on a thing made for it: what is refused has
 * changed nothing, what belongs to somebody else is answered as what does not exist, and `own` holds for every page,
 * filter and cursor.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Server from "../Server.ts"
import { type Operation, operations } from "./Operations.ts"
import { type Given, queriesOf, samples } from "./Samples.ts"
import * as Table from "./Table.ts"
import * as World from "./World.ts"

const { ask } = Server
const { rows } = Table

const codes = { "401": "unauthorized", "403": "forbidden", "404": "not_found" } as const
const whose = ["own", "others", "unowned"] as const
const unknownId = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"

const sampleOf = ({ name }: Operation) => samples[name] ?? {}
const isOwned = (operation: Operation) =>
  (operation.hasId && World.owned.has(operation.noun)) || sampleOf(operation).isOwned === true

describe("The table of permissions", () => {
  it("has a row for every operation, and none for what does not exist", () => {
    assert.isAbove(operations.length, 40)
    assert.deepStrictEqual(
      rows.map(({ operation }) => operation),
      operations.map(({ name }) => name)
    )
  })

  it("says of everything that can belong to somebody what others are answered", () => {
    for (const operation of operations) {
      const row = rows.find(({ operation: name }) => name === operation.name)
      const silent = row?.others === "-" || row?.unowned === "-"
      assert.strictEqual(silent, !isOwned(operation), operation.name)
      for (const column of ["nobody", "own", "superuser", "acting", "nodeKey"] as const)
        assert.notStrictEqual(row?.[column], "-", `${operation.name}, ${column}`)
    }
  })

  it("refuses a table that it does not understand", () => {
    const head = `| operation | ${Object.values(Table.columns).join(" | ")} |\n|---|\n`
    assert.throws(() => Table.parse(`${head}| \`users.get\` | 401 | ok | maybe | 404 | ok | ok | 401 |`), /maybe/)
    assert.throws(() => Table.parse("| operation | somebody |\n|---|\n| `users.get` | 401 |"), /columns/)
  })
})

let count = 0

const given = (world: World.World, whose: World.Whose, id: string): Given => ({
  world,
  whose,
  id,
  ownerId: world.ownerOf[whose],
  name: `name-${(count += 1)}`
})

const thingOf = (world: World.World, operation: Operation, whose: World.Whose) => {
  if (!operation.hasId) return Effect.succeed("")
  const sample = sampleOf(operation).thing
  if (sample !== undefined) return sample(world, whose)
  const make = World.things[operation.noun as keyof typeof World.things]
  return make === undefined
    ? Effect.die(new Error(`${operation.name}: say in World.ts how to make one of ${operation.noun}`))
    : make(world, whose)
}

/** Who asks, and for whom. */
interface Asker {
  readonly token?: string | undefined
  readonly actFor?: string
}

const askers = {
  nobody: (): Asker => ({}),
  nodeKey: ({ key }: World.World): Asker => ({ token: key }),
  operator: ({ operator }: World.World): Asker => ({ token: operator.token }),
  superuser: ({ superuser }: World.World): Asker => ({ token: superuser.token }),
  acting: ({ operator, superuser }: World.World): Asker => ({ token: superuser.token, actFor: operator.id })
}

const request = (operation: Operation, given: Given, { actFor, token }: Asker, query = "") => {
  const { body, headers, path } = sampleOf(operation)
  const named = operation.path.replace(":id", given.id).replace(":inbound_id", given.world.inbound)
  const route = `${operation.method} ${path?.(given) ?? named}${query === "" ? "" : `?${query}`}`
  return ask(route, {
    token,
    headers: { ...headers, ...(actFor === undefined ? {} : { "vpnmgr-act-for": actFor }) },
    ...(body === undefined ? {} : { body: body(given) })
  })
}

/** What jobs move by themselves: where nodes stand. */
const volatile = /"(health|convergence|pending_node_ids)":(\{[^}]*\}|\[[^\]]*\])/g

/** What a refused request must leave as it was: the trail, every list, and the thing itself. */
const standing = Effect.fnUntraced(function* (world: World.World, { hasId, noun }: Operation, { id }: Given) {
  const lists = ["audit", "users", "groups", "nodes", "inbounds"].map((list) => `${list}?limit=200`)
  const seen = new Map<string, string>()
  for (const path of [...lists, ...(hasId ? [`${noun}/${id}`] : [])]) {
    const { status, text } = yield* ask(`GET /api/v1/${path}`, { token: world.root })
    seen.set(path, `${status} ${text.replaceAll(volatile, "")}`)
  }
  return seen
})

/** Asks, and compares with the cell. */
const compared = Effect.fnUntraced(function* (
  operation: Operation,
  expected: Table.Answer,
  asker: Asker,
  given: Given,
  where: string
) {
  const before = yield* standing(given.world, operation, given)
  const answered = yield* request(operation, given, asker)
  const seen = `${where}: ${answered.status} ${answered.text.slice(0, 300)}`
  if (expected === "ok" || expected === "own") {
    assert.isTrue(answered.status >= 200 && answered.status < 300, seen)
    if (!["PATCH", "DELETE"].includes(operation.method) || !operation.hasId) return
    const after = yield* standing(given.world, operation, given)
    return assert.notDeepEqual([...after], [...before], `${where}: control: the change is seen`)
  }
  assert.strictEqual(answered.status, Number(expected), seen)
  assert.strictEqual(answered.json["code"], codes[expected as keyof typeof codes], seen)
  const after = yield* standing(given.world, operation, given)
  const changed = [...after].filter(([path, text]) => before.get(path) !== text).map(([path]) => path)
  assert.deepStrictEqual(changed, [], `${where}: something changed`)
  if (expected !== "404" || !operation.hasId) return
  const nothing = yield* request(operation, { ...given, id: unknownId }, asker)
  assert.deepStrictEqual([answered.status, answered.json], [nothing.status, nothing.json], `${where}: it shows`)
})

/** Every page of a list, as text. */
const walk = Effect.fnUntraced(function* (operation: Operation, given: Given, asker: Asker, query: string) {
  const texts: Array<string> = []
  const cursors: Array<string> = []
  for (let cursor: string | null = ""; cursor !== null && texts.length < 20;) {
    const parts: ReadonlyArray<string> = [query, cursor === "" ? "" : `cursor=${cursor}`].filter((part) => part !== "")
    const { json, status, text }: Server.Answered = yield* request(operation, given, asker, parts.join("&"))
    assert.strictEqual(status, 200, `${operation.name}?${parts.join("&")}: ${text}`)
    texts.push(text)
    cursor = (json["next_cursor"] ?? null) as string | null
    if (cursor !== null) cursors.push(cursor)
  }
  return { text: texts.join("\n"), cursors }
})

/** An answer that names what is the asker's, and nothing that is not, whatever is filtered, searched or continued. */
const showsItsOwn = Effect.fnUntraced(function* (operation: Operation, given: Given, asker: Asker) {
  const { other } = given.world
  const kept = sampleOf(operation).kept?.(given.world) ?? given.world.kept
  const superuser = askers.superuser(given.world)
  const foreign = [kept.others, kept.unowned, other.id]
  const hides = (text: string, where: string) => {
    for (const id of foreign) assert.notInclude(text, id, `${operation.name}, ${where}`)
  }
  const bounded = operation.query.has("limit") ? "limit=200" : ""
  const all = yield* walk(operation, given, superuser, bounded)
  for (const id of Object.values(kept)) assert.include(all.text, id, `${operation.name}: control: a superuser sees it`)
  for (const query of queriesOf(sampleOf(operation), given))
    hides((yield* walk(operation, given, asker, query)).text, query)
  assert.include((yield* walk(operation, given, asker, bounded)).text, kept.own, `${operation.name}: its own`)
  if (!operation.query.has("cursor")) return
  for (const whoever of [superuser, { token: other.token }]) {
    const { cursors } = yield* walk(operation, given, whoever, "limit=1")
    if (whoever === superuser) assert.isAbove(cursors.length, 1, `${operation.name}: control: there are cursors`)
    for (const cursor of cursors)
      hides((yield* request(operation, given, asker, `cursor=${cursor}`)).text, "another's cursor")
  }
})

/** The people of the next cell; with other tokens when somebody had to sign in anew. */
let world: World.World | undefined

const cell = Effect.fnUntraced(function* (
  operation: Operation,
  who: keyof typeof askers,
  kind: World.Whose,
  expected: Table.Answer
) {
  world ??= yield* World.make
  const about = given(world, kind, yield* thingOf(world, operation, kind))
  const asker = askers[who](world)
  yield* compared(operation, expected, asker, about, `${operation.name}, ${who}, ${kind}`)
  if (expected === "own") yield* showsItsOwn(operation, about, asker)
  if (sampleOf(operation).endsSessions === true) world = yield* World.signedInAnew(world)
})

/** One person asks more here than anybody would. */
const asOftenAsLiked = { rate: { burst: 1_000_000, perSecond: 1_000_000 } }

layer(Server.layer({ local: false }, Layer.empty, asOftenAsLiked), { excludeTestServices: true })(
  "Permissions",
  (it) => {
    for (const row of rows)
      it.effect(
        row.operation,
        () =>
          Effect.gen(function* () {
            const operation = operations.find(({ name }) => name === row.operation)
            if (operation === undefined) return assert.fail(`there is no operation ${row.operation}`)
            for (const kind of isOwned(operation) ? whose : (["own"] as const)) {
              yield* cell(operation, "nobody", kind, row.nobody)
              yield* cell(operation, "nodeKey", kind, row.nodeKey)
              yield* cell(operation, "operator", kind, row[kind])
              yield* cell(operation, "superuser", kind, row.superuser)
              yield* cell(operation, "acting", kind, kind === "own" ? row.acting : row[kind])
            }
          }),
        30_000
      )
  }
)
