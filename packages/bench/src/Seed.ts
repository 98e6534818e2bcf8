/**
 * Many subscriptions at once: one that the API made, multiplied by SQL. Ids, titles and owners differ, and every
 * credential is a secret of its own, sealed for its own row as the server seals it; so any link can be fetched.
 *
 * Indexes that nothing depends on are dropped for the while and built again.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto"
import type { Sql } from "./Sql.ts"

export interface Options {
  readonly sql: Sql
  /** Base64, as the server was given it. */
  readonly encryptionKey: string
  /** The subscription to multiply. */
  readonly template: string
  readonly owners: ReadonlyArray<string>
  readonly count: number
}

/** The id, and so the link, of the seeded subscription `index`, from 1. Ordered as a UUIDv7 made later would be. */
export const idOf = (index: number): string => `019a0000-0000-7000-8000-${index.toString(16).padStart(12, "0")}`

/** The title of the seeded subscription `index`: always of one length, so that all configs have one size. */
export const titleOf = (index: number): string => `Subscriber ${String(index).padStart(8, "0")}`

const id = `('019a0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`
const title = `'Subscriber ' || lpad(n::text, 8, '0')`

/** Opens what `sealer` or the server sealed. */
export const opener =
  (key: Buffer) =>
  (place: string, sealed: Buffer): Buffer => {
    const [nonce, value, tag] = [sealed.subarray(4, 16), sealed.subarray(16, -16), sealed.subarray(-16)]
    const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(`vpnmgr/1|${place}`))
    decipher.setAuthTag(tag)
    return Buffer.concat([decipher.update(value), decipher.final()])
  }

/** Seals as `Vault` of core does, by Node's own AES, which is fast enough for a million. */
export const sealer = (key: Buffer) => {
  const keyId = createHash("sha256").update(key).digest().subarray(0, 4)
  return (place: string, value: Buffer): Buffer => {
    const nonce = randomBytes(12)
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(`vpnmgr/1|${place}`))
    return Buffer.concat([keyId, nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()])
  }
}

function* credentials(count: number, base: number, key: Buffer): Generator<string> {
  const seal = sealer(key)
  const chunk = 2000
  for (let from = 1; from <= count; from += chunk) {
    const lines = Array.from({ length: Math.min(chunk, count - from + 1) }, (_, offset) => {
      const ref = base + from + offset
      const secret = seal(`credential|secret|${ref}`, randomBytes(32)).toString("hex")
      return `${ref}\t\\\\x${secret}\t${idOf(from + offset)}\n`
    })
    yield lines.join("")
  }
}

const tables = ["subscription", "subscription_inbound", "credential", "bucket"]

const secondary = `SELECT i.indexdef FROM pg_indexes i JOIN pg_class c ON c.relname = i.indexname
  JOIN pg_index x ON x.indexrelid = c.oid
  WHERE i.schemaname = 'vpnmgr' AND i.tablename IN (${tables.map((name) => `'${name}'`).join()}) AND NOT x.indisunique`

const nameOf = (definition: string) => /INDEX (\S+) ON/.exec(definition)![1]!

/** Seeds a database whose server is stopped or idle, and gathers statistics. Answers what took how long, in words. */
export const seed = async ({ count, encryptionKey, owners, sql, template }: Options): Promise<string> => {
  const series = `generate_series(1, ${count}) AS n`
  const owner = `(ARRAY[${owners.map((each) => `'${each}'`).join()}]::uuid[])[1 + n % ${owners.length}]`
  const one = `subscription t WHERE t.id = '${template}'`
  const indexes = await sql.run(secondary)
  const [highest] = await sql.run("SELECT max(ref) FROM credential")
  const base = Number(highest)
  const times: Array<string> = []
  const step = async (name: string, work: () => Promise<unknown>) => {
    const began = performance.now()
    await work()
    times.push(`${name} ${((performance.now() - began) / 1000).toFixed(1)}`)
  }
  const run = (name: string, ...statements: ReadonlyArray<string>) => step(name, () => sql.run(...statements))

  await sql.run(...indexes.map((definition) => `DROP INDEX vpnmgr.${nameOf(definition)}`))
  await sql.run(`CREATE UNLOGGED TABLE seeded_credential (ref integer, secret bytea, subscription_id uuid)`)
  await step("sealing and COPY", () =>
    sql.copy("COPY seeded_credential FROM STDIN", credentials(count, base, Buffer.from(encryptionKey, "base64")))
  )
  await run(
    "credentials",
    `INSERT INTO credential (ref, secret, subscription_id, released, taken_at)
      SELECT ref, secret, subscription_id, true, now() - interval '30 days' FROM seeded_credential`,
    `DROP TABLE seeded_credential`,
    `SELECT setval('credential_ref_seq', ${base + count})`
  )
  await run(
    "subscriptions",
    `INSERT INTO subscription (id, link_hash, owner_id, title, expires_at, max_traffic, max_speed, traffic_reset_period,
        is_suspended, anchor, credential, created_at, updated_at, title_key, search_key)
      SELECT ${id}, sha256(convert_to(${id}::text, 'UTF8')), ${owner}, ${title}, t.expires_at, t.max_traffic, t.max_speed,
        t.traffic_reset_period, false, t.anchor, ${base} + n, t.created_at - interval '40 days' + n * interval '1 second',
        t.updated_at, lower(${title}), lower(${title} || chr(31))
      FROM ${series}, ${one}`
  )
  await run(
    "owners",
    `INSERT INTO subscription_owner (subscription_id, since, owner_id) SELECT ${id}, '-infinity', ${owner} FROM ${series}`
  )
  await run(
    "links",
    `INSERT INTO subscription_inbound (subscription_id, inbound_id, linked_at)
      SELECT ${id}, l.inbound_id, l.linked_at FROM ${series}, subscription_inbound l
      WHERE l.subscription_id = '${template}' AND l.unlinked_at IS NULL`
  )
  await run(
    "buckets",
    `INSERT INTO bucket (id, kind, max_traffic, period, anchor, cut, window_start, window_end, used, bytes_up, bytes_down,
        credential, owner_id, inbounds)
      SELECT ${id}, 'subscription', t.max_traffic, t.period, t.anchor, t.cut, t.window_start, t.window_end,
        11000000::numeric * n, 1000 * n::numeric, 10000 * n::numeric, ${base} + n, ${owner}, t.inbounds
      FROM ${series}, bucket t WHERE t.id = '${template}' AND t.kind = 'subscription'`
  )
  const memory = ["SET maintenance_work_mem = '512MB'", "SET max_parallel_maintenance_workers = 2"]
  for (const definition of indexes) await run(nameOf(definition), ...memory, definition)
  await run("VACUUM", "VACUUM (ANALYZE)")
  await run("CHECKPOINT", "CHECKPOINT")
  return `seeded ${count}, seconds: ${times.join(", ")}`
}
