/** What a node filled is keyed by the node, as everything is that nodes write. */
export const statements: ReadonlyArray<string> = ["quarantine", "report_conflict"].flatMap((table) => [
  `ALTER TABLE ${table} DROP CONSTRAINT ${table}_pkey`,
  `DROP INDEX ${table}_node_idx`,
  `ALTER TABLE ${table} ADD PRIMARY KEY (node_id, id)`,
  `CREATE INDEX ${table}_id_idx ON ${table} (id)`
])
