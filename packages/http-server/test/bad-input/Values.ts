/** Bad values: each row is a request that is well-formed but for one field. */
import type { Row, World } from "./World.ts"

const nobody = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"

/** Periods that are none, or that cut an hour. */
const periods = (at: (body: unknown) => Pick<Row, "route" | "asking">): ReadonlyArray<Row> => [
  ...["P-1D", "-P1D", "P0D", "PT0S", "1 month", "P1.5D", "PT1.5H", "p1d", "P", "PT", "", " P1D", "P1D ", "P101Y"].map(
    (period) => ({
      name: `period ${JSON.stringify(period)}`,
      ...at({ traffic_reset_period: period }),
      status: 400,
      code: "malformed",
      field: "traffic_reset_period"
    })
  ),
  ...["PT30M", "PT1S", "P1DT90M"].map((period) => ({
    name: `period ${period}, no whole hours`,
    ...at({ traffic_reset_period: period }),
    status: 422,
    code: "invalid",
    field: "traffic_reset_period"
  })),
  ...[7, true, ["P1D"], {}].map((period) => ({
    name: `period ${JSON.stringify(period)}`,
    ...at({ traffic_reset_period: period }),
    status: 400,
    code: "malformed",
    field: "traffic_reset_period"
  }))
]

const limits = (at: (body: unknown) => Pick<Row, "route" | "asking">): ReadonlyArray<Row> =>
  ["max_traffic", "max_speed"].flatMap((field) =>
    [
      "-1",
      "1.5",
      "9223372036854775808",
      "9007199254740992",
      "1e400",
      '"-1"',
      '"1.5"',
      '"9223372036854775808"',
      '"0x10"',
      '"1e3"',
      '""',
      '" 1"',
      '"many"',
      "true",
      "[1]",
      "{}"
    ].map((text) => ({
      name: `${field} ${text}`,
      ...at(`{"${field}": ${text}}`),
      status: 400,
      code: "malformed",
      field
    }))
  )

const texts = (at: (body: unknown) => Pick<Row, "route" | "asking">): ReadonlyArray<Row> =>
  (
    [
      ["title", "t".repeat(10_240), "10 kB"],
      ["title", "t".repeat(201), "201 characters"],
      ["title", "\u0000", "NUL"],
      ["description", "d".repeat(4001), "4001 characters"]
    ] as const
  )
    .map(([field, text, name]): Row => ({
      name: `${field} ${name}`,
      ...at({ [field]: text }),
      status: 400,
      code: "malformed",
      field
    }))
    .concat([
      { name: "title half a character", ...at('{"title": "\\ud83d"}'), status: 400, code: "malformed", field: "title" },
      { name: "title number", ...at({ title: 1 }), status: 400, code: "malformed", field: "title" },
      {
        name: "title deeply nested",
        ...at(`{"title": ${"[".repeat(5000)}${"]".repeat(5000)}}`),
        status: 400,
        code: "malformed",
        field: "title"
      }
    ])

const instants = (at: (body: unknown) => Pick<Row, "route" | "asking">): ReadonlyArray<Row> =>
  [
    "tomorrow",
    "2026-01-31",
    "2026-01-31T00:00:00",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    7
  ].map((text) => ({
    name: `expires_at ${text}`,
    ...at({ expires_at: text }),
    status: 400,
    code: "malformed",
    field: "expires_at"
  }))

/** Fields nobody knows, and names that JavaScript knows. */
const unknown = (at: (body: unknown) => Pick<Row, "route" | "asking">): ReadonlyArray<Row> =>
  ["titel", "__proto__", "constructor", "prototype", "toString", "isSuspended", "id", "updated_at"].map((field) => ({
    name: `field ${field}`,
    ...at(`{"${field}": {"isAdmin": true}}`),
    status: 400,
    code: "malformed",
    field
  }))

const ids = ({ root, group, inbound, node, subscription, user }: World): ReadonlyArray<Row> => {
  const bad = (name: string, route: string, field: string, body?: unknown): Row => ({
    name,
    route,
    asking: { token: root, body },
    status: 400,
    code: "malformed",
    field
  })
  const none = (name: string, route: string, body?: unknown): Row => ({
    name,
    route,
    asking: { token: root, body },
    status: 404,
    code: "not_found"
  })
  const of = (name: string, body: object, field: string): Row => ({
    name,
    route: "POST /api/v1/subscriptions",
    asking: { token: root, body },
    status: 422,
    code: "invalid",
    field
  })
  return [
    ...["x", "1", subscription.toUpperCase(), `{${subscription}}`, `${subscription}0`, "%00", "..%2f..%2fetc"].flatMap(
      (id) => [
        bad(`id ${id}`, `GET /api/v1/subscriptions/${id}`, "id"),
        bad(`id ${id}`, `PATCH /api/v1/subscriptions/${id}`, "id", { title: "x" }),
        bad(`id ${id}`, `DELETE /api/v1/groups/${id}`, "id")
      ]
    ),
    ...[nobody, group, user, inbound, node].map((id) =>
      none("id of another kind", `PATCH /api/v1/subscriptions/${id}`, {})
    ),
    ...[nobody, subscription].map((id) => none("id of another kind", `DELETE /api/v1/groups/${id}`)),
    of("owner of another kind", { owner_id: group }, "owner_id"),
    of("inbound of another kind", { inbound_ids: [node] }, "inbound_ids"),
    of("one inbound of another kind", { inbound_ids: [inbound, nobody] }, "inbound_ids"),
    bad("owner upper case", "POST /api/v1/subscriptions", "owner_id", { owner_id: user.toUpperCase() }),
    bad("inbound malformed", "POST /api/v1/subscriptions", "inbound_ids.1", { inbound_ids: [inbound, "x"] }),
    bad("too many inbounds", "POST /api/v1/subscriptions", "inbound_ids", {
      inbound_ids: Array.from({ length: 1001 }, () => inbound)
    })
  ]
}

const people = ({ root }: World): ReadonlyArray<Row> => {
  const person = { username: "new", password: "a long password", role: "operator" }
  const at = (name: string, body: object, field: string): Row => ({
    name,
    route: "POST /api/v1/users",
    asking: { token: root, body },
    status: 400,
    code: "malformed",
    field
  })
  return [
    ...["", "a b", "\u0430da", "x".repeat(65), "a\n"].map((username) =>
      at(`username ${JSON.stringify(username)}`, { ...person, username }, "username")
    ),
    at("password short", { ...person, password: "short" }, "password"),
    at("password long", { ...person, password: "x".repeat(257) }, "password"),
    at("role unknown", { ...person, role: "root" }, "role"),
    at("password absent", { username: "new", role: "operator" }, "password"),
    {
      ...at("username taken in another case", { ...person, username: "OPAL" }, "username"),
      status: 409,
      code: "already_exists"
    }
  ]
}

const doors = ({ root, node }: World): ReadonlyArray<Row> => {
  const draft = { node_id: node, host: "b.example", port: 9443, settings: { protocol: "shadowsocks" } }
  return (
    [
      ["port 0", { port: 0 }, 400, "port"],
      ["port 65536", { port: 65_536 }, 400, "port"],
      ["port 1.5", { port: 1.5 }, 400, "port"],
      ["port text", { port: "443" }, 400, "port"],
      ["host with a path", { host: "b.example/x" }, 400, "host"],
      ["host with a newline", { host: "b.example\nx" }, 400, "host"],
      ["multiplier negative", { traffic_multiplier: -1 }, 400, "traffic_multiplier"],
      ["node of another kind", { node_id: nobody }, 422, "node_id"]
    ] as const
  ).map(([name, change, status, field]) => ({
    name,
    route: "POST /api/v1/inbounds",
    asking: { token: root, body: { ...draft, ...change } },
    status,
    code: status === 400 ? "malformed" : "invalid",
    field
  }))
}

/** Every row: what is made and what is changed is judged alike. */
export const rows = (world: World): ReadonlyArray<Row> => {
  const { root: token, group, subscription } = world
  const making = (body: unknown) => ({ route: "POST /api/v1/subscriptions", asking: { token, body } })
  const changing = (body: unknown) => ({
    route: `PATCH /api/v1/subscriptions/${subscription}`,
    asking: { token, body }
  })
  const ofGroup = (body: unknown) => ({ route: `PATCH /api/v1/groups/${group}`, asking: { token, body } })
  return [
    ...[making, changing].flatMap((at) => [periods, limits, texts, instants, unknown].flatMap((table) => table(at))),
    ...[periods, limits, unknown].flatMap((table) => table(ofGroup)),
    ...ids(world),
    ...people(world),
    ...doors(world)
  ]
}
