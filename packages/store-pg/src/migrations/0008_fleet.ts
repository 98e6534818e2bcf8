/** Tombstones of nodes and inbounds, what lists of them filter by, and what a node's agent last said of itself. */
export const statements: ReadonlyArray<string> = [
  `ALTER TABLE node ADD COLUMN deleted_at timestamptz`,
  `CREATE INDEX node_geo_idx ON node (geo, id) WHERE deleted_at IS NULL`,
  `CREATE INDEX node_purpose_idx ON node (purpose, id) WHERE deleted_at IS NULL`,

  `ALTER TABLE inbound ADD COLUMN deleted_at timestamptz`,
  `CREATE INDEX inbound_geo_idx ON inbound (geo, id) WHERE deleted_at IS NULL`,
  `CREATE INDEX inbound_purpose_idx ON inbound (purpose, id) WHERE deleted_at IS NULL`,
  `CREATE INDEX inbound_protocol_idx ON inbound (protocol, id) WHERE deleted_at IS NULL`,
  `CREATE INDEX inbound_active_idx ON inbound (is_active, id) WHERE deleted_at IS NULL`,
  `DROP INDEX inbound_tcp_port_key`,
  `DROP INDEX inbound_udp_port_key`,
  `CREATE UNIQUE INDEX inbound_tcp_port_key ON inbound (node_id, port, listen)
  WHERE network IN ('tcp', 'tcp,udp') AND deleted_at IS NULL`,
  `CREATE UNIQUE INDEX inbound_udp_port_key ON inbound (node_id, port, listen)
  WHERE network IN ('udp', 'tcp,udp') AND deleted_at IS NULL`,

  `ALTER TABLE node_applied ADD COLUMN protocol_version text, ADD COLUMN last_error_at timestamptz`,
  `UPDATE node_applied SET last_error_at = seen_at WHERE last_error IS NOT NULL`,

  `ALTER TABLE report_conflict ADD COLUMN reason text NOT NULL DEFAULT 'conflict'`
]
