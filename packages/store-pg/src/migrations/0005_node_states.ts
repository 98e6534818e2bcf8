/** Which items of which node are dirty, at which revision each was last changed, and what nodes say they serve. */
export const statements: ReadonlyArray<string> = [
  `CREATE TABLE node_dirty (
  node_id uuid NOT NULL,
  kind text NOT NULL,
  ref integer NOT NULL
)`,
  `CREATE INDEX node_dirty_node_idx ON node_dirty (node_id, kind, ref)`,

  `CREATE TABLE node_item (
  node_id uuid NOT NULL,
  kind text NOT NULL,
  ref integer NOT NULL,
  revision integer NOT NULL,
  PRIMARY KEY (node_id, kind, ref)
)`,
  `CREATE INDEX node_item_revision_idx ON node_item (node_id, revision)`,

  `CREATE TABLE node_head (
  node_id uuid PRIMARY KEY,
  revision integer NOT NULL
) WITH (fillfactor = 50)`,

  `CREATE TABLE node_applied (
  node_id uuid PRIMARY KEY,
  seen_at timestamptz NOT NULL,
  served_generation text,
  served_revision integer,
  outcome text NOT NULL,
  last_error text,
  agent_version text NOT NULL,
  plane_version text
) WITH (fillfactor = 50)`
]
