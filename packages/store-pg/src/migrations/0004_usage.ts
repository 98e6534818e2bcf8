/** Keys of batches, raw reports by day, the hourly pieces that stay, quarantine and the access log. */
export const statements: ReadonlyArray<string> = [
  `CREATE TABLE report_key (
  node_id uuid NOT NULL,
  spool uuid NOT NULL,
  seq bigint NOT NULL,
  digest text NOT NULL,
  PRIMARY KEY (node_id, spool, seq)
)`,

  `CREATE TABLE spool (
  node_id uuid NOT NULL,
  spool uuid NOT NULL,
  token_id uuid NOT NULL,
  last_seq bigint NOT NULL,
  floor_seq bigint NOT NULL,
  last_seen timestamptz NOT NULL,
  PRIMARY KEY (node_id, spool)
) WITH (fillfactor = 50)`,

  `CREATE TABLE report_conflict (
  id uuid PRIMARY KEY,
  node_id uuid NOT NULL,
  token_id uuid NOT NULL,
  spool uuid NOT NULL,
  seq bigint NOT NULL,
  digest text NOT NULL,
  received_at timestamptz NOT NULL,
  batch jsonb NOT NULL
)`,

  `CREATE TABLE traffic_report (
  received_at timestamptz NOT NULL,
  node_id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  inbound_id uuid NOT NULL,
  owner_id uuid,
  from_at timestamptz NOT NULL,
  to_at timestamptz NOT NULL,
  shift bigint NOT NULL,
  bytes_up bigint NOT NULL,
  bytes_down bigint NOT NULL,
  weighted numeric NOT NULL
) PARTITION BY RANGE (received_at)`,
  `CREATE TABLE traffic_report_default PARTITION OF traffic_report DEFAULT`,

  `CREATE TABLE usage_piece (
  subscription_id uuid NOT NULL,
  at timestamptz NOT NULL,
  inbound_id uuid NOT NULL,
  bytes_up numeric NOT NULL,
  bytes_down numeric NOT NULL,
  weighted numeric NOT NULL,
  PRIMARY KEY (subscription_id, at, inbound_id)
) WITH (fillfactor = 70)`,

  `CREATE TABLE owner_piece (
  owner_id uuid NOT NULL,
  at timestamptz NOT NULL,
  node_id uuid NOT NULL,
  bytes_up numeric NOT NULL,
  bytes_down numeric NOT NULL,
  weighted numeric NOT NULL,
  PRIMARY KEY (owner_id, at, node_id)
) WITH (fillfactor = 70)`,

  `CREATE TABLE owner_usage (
  owner_id uuid NOT NULL,
  window_start timestamptz NOT NULL,
  node_id uuid NOT NULL,
  bytes_up numeric NOT NULL,
  bytes_down numeric NOT NULL,
  used numeric NOT NULL,
  PRIMARY KEY (owner_id, window_start, node_id)
) WITH (fillfactor = 50)`,

  `CREATE TABLE quarantine (
  id uuid PRIMARY KEY,
  node_id uuid NOT NULL,
  token_id uuid NOT NULL,
  spool uuid NOT NULL,
  seq bigint NOT NULL,
  received_at timestamptz NOT NULL,
  from_at timestamptz NOT NULL,
  to_at timestamptz NOT NULL,
  credential bigint NOT NULL,
  inbound bigint NOT NULL,
  bytes_up bigint NOT NULL,
  bytes_down bigint NOT NULL,
  reason text NOT NULL
)`,

  `CREATE TABLE access_log (
  subscription_id uuid NOT NULL,
  inbound_id uuid NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  id uuid NOT NULL,
  node_id uuid NOT NULL,
  token_id uuid NOT NULL,
  bytes_up numeric NOT NULL,
  bytes_down numeric NOT NULL,
  PRIMARY KEY (subscription_id, inbound_id, started_at)
) WITH (fillfactor = 70)`
]
