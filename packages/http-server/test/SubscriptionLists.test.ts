import { assert, layer } from "@effect/vitest"
import { Client } from "@vpnmgr/api"
import { SubscriptionList } from "@vpnmgr/core"
import { Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Server from "./Server.ts"

const { ask } = Server

const clientOf = Effect.fnUntraced(function* (token: string) {
  return yield* Client.make({ baseUrl: yield* Server.baseUrl, token: Redacted.make(token) })
})

/** An operator of a name of its own, signed in. */
const anOperator = Effect.fnUntraced(function* (username: string) {
  const root = yield* clientOf(yield* Server.signedIn)
  const account = { username, password: "twelve chars and more" }
  const { id } = yield* root.users.create({ payload: { ...account, role: "operator" } })
  const { json } = yield* ask("POST /api/v1/session", { body: account })
  const token = json["token"] as string
  return { id, token, client: yield* clientOf(token), root }
})

type Listing = Effect.Success<ReturnType<typeof clientOf>>["subscriptions"]["list"]
type Query = NonNullable<Parameters<Listing>[0]["query"]>

/** Walks a list to its end, two at a time. */
const walk = Effect.fnUntraced(function* (list: Listing, query: Query) {
  const titles: Array<string | null> = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: {
      readonly items: ReadonlyArray<{ readonly title: string | null }>
      readonly nextCursor: string | null
    } = yield* list({ query: { ...query, limit: 2, ...(cursor === undefined ? {} : { cursor }) } })
    titles.push(...page.items.map(({ title }) => title))
    cursor = page.nextCursor
  }
  return titles
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("A list of subscriptions", (it) => {
  it.effect("is filtered, searched, ordered and walked", () =>
    Effect.gen(function* () {
      const { client, id: ownerId, root } = yield* anOperator("lister")
      const soon = Date.now() + 3_600_000
      const node = yield* root.nodes.create({ payload: {} })
      const settings = { protocol: "shadowsocks" } as const
      const inbound = yield* root.inbounds.create({
        payload: { nodeId: node.id, host: "a.example", port: 1, settings }
      })
      const titles = ["beta", "Alpha", "100% γ", null, "alpha_2"]
      const made = yield* Effect.forEach(titles, (title, n) =>
        client.subscriptions.create({
          payload: {
            title,
            ...(n < 2 ? { expiresAt: soon + n } : {}),
            ...(n === 2 ? { maxTraffic: 0n } : {}),
            ...(n === 3 ? { inboundIds: [inbound.id] } : {})
          }
        })
      )
      yield* client.subscriptions.suspend({ params: { id: made[4]!.id } })
      yield* client.subscriptions.change({ params: { id: made[0]!.id }, payload: { expiresAt: Date.now() - 1 } })

      const { list } = client.subscriptions
      const expected: ReadonlyArray<readonly [Query, ReadonlyArray<string | null>]> = [
        [{}, titles],
        [{ sort: "-id" }, titles.toReversed()],
        [{ sort: "title" }, [null, "100% γ", "Alpha", "alpha_2", "beta"]],
        [{ sort: "-title" }, ["beta", "alpha_2", "Alpha", "100% γ", null]],
        [{ sort: "-created_at" }, titles.toReversed()],
        [{ sort: "expires_at" }, ["beta", "Alpha", "100% γ", null, "alpha_2"]],
        [{ state: "suspended" }, ["alpha_2"]],
        [{ state: "expired" }, ["beta"]],
        [{ state: "over_limit" }, ["100% γ"]],
        [{ state: "active", sort: "title" }, [null, "Alpha"]],
        [{ search: "ALPHA" }, ["Alpha", "alpha_2"]],
        [{ search: "%" }, ["100% γ"]],
        [{ search: "a_" }, ["alpha_2"]],
        [{ search: "Γ" }, ["100% γ"]],
        [{ search: made[3]!.id }, [null]],
        [{ expires_before: soon + 1 }, ["beta"]],
        [{ inbound_id: inbound.id }, [null]],
        [{ node_id: node.id, state: "active" }, [null]],
        [{ node_id: ownerId }, []],
        [{ owner_id: ownerId, search: "beta" }, ["beta"]]
      ]
      for (const [query, found] of expected) {
        assert.deepStrictEqual(yield* walk(list, query), found, JSON.stringify(query))
        assert.deepStrictEqual(yield* walk(root.subscriptions.list, { owner_id: ownerId, ...query }), found)
      }
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("is walked over the longest titles there are", () =>
    Effect.gen(function* () {
      const { client } = yield* anOperator("longwinded")
      const titles = ["漢", "ΐ", "😀"]
        .map((letter) => letter.repeat(200 / letter.length))
        .flatMap((each) => [each, each])
      for (const title of titles) yield* client.subscriptions.create({ payload: { title } })
      const { list } = client.subscriptions
      assert.sameMembers(yield* walk(list, { sort: "title" }), titles)
      assert.strictEqual((yield* walk(list, { sort: "title" })).at(-1), "😀".repeat(100))
      assert.strictEqual((yield* walk(list, { search: "漢".repeat(200) })).length, 2)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("shows an operator its own, whatever it asks for", () =>
    Effect.gen(function* () {
      const [ann, bob] = [yield* anOperator("ann"), yield* anOperator("bob")]
      yield* ann.client.subscriptions.create({ payload: { title: "common word, ann's" } })
      yield* bob.client.subscriptions.create({ payload: { title: "common word, bob's" } })
      yield* ann.root.subscriptions.create({ payload: { title: "common word, nobody's" } })
      const { list } = ann.client.subscriptions
      const all = ann.root.subscriptions.list
      assert.deepStrictEqual(yield* walk(list, { search: "common word" }), ["common word, ann's"])
      assert.strictEqual((yield* walk(all, { search: "common word" })).length, 3)
      assert.deepStrictEqual(yield* walk(list, { owner_id: bob.id }), [])
      assert.deepStrictEqual(yield* walk(all, { owner_id: bob.id }), ["common word, bob's"])
      assert.deepStrictEqual(yield* walk(list, { owner_id: "none" }), [])
      assert.include(yield* walk(all, { owner_id: "none" }), "common word, nobody's")
      const theirs = yield* bob.root.subscriptions.list({ query: { search: "common", limit: 1 } })
      const page = yield* list({ query: { search: "common", limit: 1, cursor: theirs.nextCursor! } })
      assert.deepStrictEqual(page.items, [])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("refuses a cursor of another list, and one that nobody was given", () =>
    Effect.gen(function* () {
      const { client, token } = yield* anOperator("walker")
      for (const title of ["x1", "x2", "x3"]) yield* client.subscriptions.create({ payload: { title } })
      const get = (query: string) => ask(`GET /api/v1/subscriptions?${query}`, { token })
      for (const sort of SubscriptionList.Sort.literals) {
        const first = yield* get(`limit=1&search=x&sort=${sort}`)
        const cursor = first.json["next_cursor"] as string
        assert.strictEqual((yield* get(`limit=2&search=x&sort=${sort}&cursor=${cursor}`)).status, 200)
        const other = sort === "title" ? "id" : "title"
        for (const query of [
          `search=x&sort=${other}`,
          `search=y&sort=${sort}`,
          `sort=${sort}`,
          `state=active&sort=${sort}`
        ]) {
          const { status, json } = yield* get(`${query}&cursor=${cursor}`)
          assert.deepStrictEqual(
            [status, json["code"], json["errors"]?.[0]?.field],
            [400, "malformed", "cursor"],
            query
          )
        }
      }
      for (const query of [
        "cursor=",
        "cursor=MTowMTk5ZjNmMC01YTdlLTdjYzMtOGExMS0zYThiNWYxZDJjNGU",
        "sort=used_bytes",
        "state=blocked",
        "owner_id=me",
        "search=",
        "search=%00",
        "unknown=1"
      ])
        assert.strictEqual((yield* get(query)).status, 400, query)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
