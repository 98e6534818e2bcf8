/** Bad requests: bodies, types, encodings, queries, methods, tokens. */
import { gzipSync } from "node:zlib"
import type { Row, World } from "./World.ts"

const protocol = { "vpnmgr-protocol": "1.0" }

const bodies = ({ root: token }: World): ReadonlyArray<Row> => {
  const at = (name: string, body: string | Uint8Array, field?: string): Row => ({
    name: `body ${name}`,
    route: "POST /api/v1/subscriptions",
    asking: { token, body },
    status: 400,
    code: "malformed",
    ...(field === undefined ? {} : { field })
  })
  return [
    at("empty", ""),
    at("no JSON", "{"),
    at("two values", "{} {}"),
    at("a comment", "{/* */}"),
    at("null", "null"),
    at("a number", "1"),
    at("a list", "[{}]"),
    at("not UTF-8", Buffer.from([0x7b, 0x22, 0x74, 0x69, 0x74, 0x6c, 0x65, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d])),
    at("a name twice", '{"title": "a", "title": "b"}', "title"),
    at("a name twice, once escaped", '{"title": "a", "\\u0074itle": "b"}', "title"),
    at("500,000 levels", "[".repeat(500_000)),
    at("17 levels", `${'{"a":'.repeat(17)}1${"}".repeat(17)}`, Array.from({ length: 16 }, () => "a").join("."))
  ]
}

const types = ({ root: token }: World): ReadonlyArray<Row> => {
  const at = (name: string, headers: Record<string, string>, body: string | Uint8Array = "{}"): Row => ({
    name,
    route: "POST /api/v1/subscriptions",
    asking: { token, body, headers },
    status: 415,
    code: "unsupported_media_type"
  })
  return [
    at("type text", { "content-type": "text/plain" }),
    at("type form", { "content-type": "application/x-www-form-urlencoded" }, "title=x"),
    at("type multipart", { "content-type": "multipart/form-data; boundary=x" }),
    at("type empty", { "content-type": "" }),
    at("type like JSON", { "content-type": "application/jsonp" }),
    at("another charset", { "content-type": "application/json; charset=utf-16" }),
    at("gzip", { "content-encoding": "gzip" }, gzipSync("{}")),
    at("a gzip bomb", { "content-encoding": "gzip" }, gzipSync(Buffer.alloc(64 * 1024 * 1024))),
    at("deflate", { "content-encoding": "deflate" }),
    at("encodings twice", { "content-encoding": "gzip, gzip" })
  ]
}

const agents = ({ key, revokedKey, root, operator }: World): ReadonlyArray<Row> => {
  const at = (name: string, asking: Row["asking"], status: number, code: string, field?: string): Row => ({
    name: `report: ${name}`,
    route: "POST /node/v1/reports",
    asking: { token: key, body: "{}", ...asking, headers: { ...protocol, ...asking.headers } },
    status,
    code,
    ...(field === undefined ? {} : { field })
  })
  const gzip = { "content-encoding": "gzip" }
  return [
    at("a gzip bomb", { body: gzipSync(Buffer.alloc(64 * 1024 * 1024)), headers: gzip }, 413, "too_large"),
    at(
      "a bomb in two parts",
      {
        body: Buffer.concat([gzipSync(Buffer.alloc(9 * 1024 * 1024)), gzipSync(Buffer.alloc(9 * 1024 * 1024))]),
        headers: gzip
      },
      413,
      "too_large"
    ),
    at("no gzip", { body: "{}", headers: gzip }, 400, "malformed"),
    at("gzip cut off", { body: gzipSync('{"batch": 1}').subarray(0, 20), headers: gzip }, 400, "malformed"),
    at("gzip of gzip", { body: gzipSync(gzipSync("{}")), headers: gzip }, 400, "malformed"),
    at("brotli", { headers: { "content-encoding": "br" } }, 415, "unsupported_media_type"),
    at("500,000 levels", { body: "[".repeat(500_000) }, 400, "malformed"),
    at("of nothing", { body: {} }, 400, "malformed", "batch"),
    at("under a person's token", { token: root }, 401, "unauthorized"),
    at("under an operator's token", { token: operator }, 401, "unauthorized"),
    at("under a revoked key", { token: revokedKey }, 401, "unauthorized"),
    at("under half a key", { token: key.slice(0, 16) }, 401, "unauthorized"),
    at(
      "under a key in another case",
      { token: key === key.toUpperCase() ? key.toLowerCase() : key.toUpperCase() },
      401,
      "unauthorized"
    )
  ]
}

const swapped = (a: string, b: string): string => {
  const [head, payload] = a.split(".")
  return [head, payload, b.split(".")[2]].join(".")
}

const unsigned = (token: string): string => {
  const head = Buffer.from('{"alg":"none"}').toString("base64url")
  return `${head}.${token.split(".")[1]}.`
}

const tokens = ({ key, operator, root, signedOut }: World): ReadonlyArray<Row> =>
  (
    [
      ["none", undefined],
      ["signed out", signedOut],
      ["cut off", root.slice(0, -1)],
      ["cut in half", root.slice(0, root.length / 2)],
      ["with another's signature", swapped(root, operator)],
      ["unsigned", unsigned(root)],
      ["twice", `${root}, ${root}`],
      ["a node's key", key],
      ["longer", `${root}a`]
    ] as const
  ).flatMap(([name, token]) =>
    ["GET /api/v1/subscriptions", "POST /api/v1/subscriptions"].map((route) => ({
      name: `token ${name}`,
      route,
      asking: { token, ...(route.startsWith("POST") ? { body: { title: "x" } } : {}) },
      status: 401,
      code: "unauthorized"
    }))
  )

const queries = ({ root: token }: World): ReadonlyArray<Row> =>
  (
    [
      ["limit=0", "limit"],
      ["limit=201", "limit"],
      ["limit=x", "limit"],
      ["limit=1.5", "limit"],
      ["limit=", "limit"],
      ["limits=1", "limits"],
      ["cursor=x", "cursor"],
      ["cursor=MTo", "cursor"],
      ["cursor=%00", "cursor"],
      ["__proto__=x", "__proto__"]
    ] as const
  ).map(([query, field]) => ({
    name: `query ${query}`,
    route: `GET /api/v1/groups?${query}`,
    asking: { token },
    status: 400,
    code: "malformed",
    field
  }))

const methods = ({ root: token, subscription }: World): ReadonlyArray<Row> =>
  (
    [
      ["PUT /api/v1/subscriptions", 405],
      ["OPTIONS /api/v1/subscriptions", 405],
      [`POST /api/v1/subscriptions/${subscription}`, 405],
      ["DELETE /health/live", 405],
      ["POST /openapi.json", 405],
      ["POST /s/x", 405],
      ["PATCH /api/v2/subscriptions", 404],
      ["GET /api/v1/subscription", 404],
      ["GET /api/v1/subscriptions/a/b/c", 404],
      ["GET /.env", 404],
      ["GET //api/v1/subscriptions", 404]
    ] as const
  ).map(([route, status]) => ({
    name: route,
    route,
    asking: { token },
    status,
    code: status === 405 ? "method_not_allowed" : "not_found"
  }))

/** Every row. */
export const rows = (world: World): ReadonlyArray<Row> =>
  [bodies, types, agents, tokens, queries, methods].flatMap((table) => table(world))
