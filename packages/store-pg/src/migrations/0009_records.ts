/**
 * Records that can be asked for: ids that are in the order of time, and an index behind every filter. A traffic report
 * and a span of use get the owner and an id they lacked.
 */
const v7 = (at: string): string => `(lpad(to_hex(round(date_part('epoch', ${at}) * 1000)::bigint), 12, '0') || '7'
    || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid`

export const statements: ReadonlyArray<string> = [
  `ALTER TABLE traffic_report ADD COLUMN id uuid`,
  `UPDATE traffic_report SET id = ${v7("to_at")}`,
  `ALTER TABLE traffic_report ALTER COLUMN id SET NOT NULL`,
  `CREATE INDEX traffic_report_id_idx ON traffic_report (id)`,
  `CREATE INDEX traffic_report_subscription_idx ON traffic_report (subscription_id, id)`,
  `CREATE INDEX traffic_report_inbound_idx ON traffic_report (inbound_id, id)`,
  `CREATE INDEX traffic_report_node_idx ON traffic_report (node_id, id)`,
  `CREATE INDEX traffic_report_owner_idx ON traffic_report (owner_id, id)`,

  `ALTER TABLE access_log ADD COLUMN owner_id uuid`,
  `UPDATE access_log a SET id = ${v7("started_at")}, owner_id = (
    SELECT o.owner_id FROM subscription_owner o WHERE o.subscription_id = a.subscription_id AND o.since < a.ended_at
    ORDER BY o.since DESC LIMIT 1)`,
  `ALTER TABLE access_log DROP CONSTRAINT access_log_pkey, ADD PRIMARY KEY (subscription_id, id)`,
  `CREATE UNIQUE INDEX access_log_span_key ON access_log (subscription_id, inbound_id, started_at, owner_id)
  NULLS NOT DISTINCT`,
  `CREATE INDEX access_log_id_idx ON access_log (id)`,
  `CREATE INDEX access_log_inbound_idx ON access_log (inbound_id, id)`,
  `CREATE INDEX access_log_node_idx ON access_log (node_id, id)`,
  `CREATE INDEX access_log_owner_idx ON access_log (owner_id, id)`,
  `CREATE INDEX access_log_token_idx ON access_log (token_id, id)`,

  `CREATE INDEX report_conflict_node_idx ON report_conflict (node_id, id)`,

  `CREATE INDEX audit_log_action_idx ON audit_log (action, id)`,
  `CREATE INDEX audit_log_target_type_idx ON audit_log (target_type, id)`,

  `ALTER TABLE quarantine
  ADD COLUMN state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'applied', 'dismissed')),
  ADD COLUMN resolved_at timestamptz,
  ADD COLUMN resolved_by uuid,
  ADD COLUMN subscription_id uuid,
  ADD COLUMN inbound_id uuid`,
  `CREATE INDEX quarantine_node_idx ON quarantine (node_id, id)`,
  `CREATE INDEX quarantine_reason_idx ON quarantine (reason, id)`,
  `CREATE INDEX quarantine_state_idx ON quarantine (state, id)`
]
