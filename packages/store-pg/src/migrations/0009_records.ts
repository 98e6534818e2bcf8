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

  `ALTER TABLE audit_log ADD COLUMN day date`,
  `ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only`,
  `UPDATE audit_log SET day = (timestamp AT TIME ZONE 'UTC')::date`,
  `DROP TRIGGER audit_log_append_only ON audit_log`,
  `ALTER TABLE audit_log ALTER COLUMN day SET NOT NULL`,
  `CREATE INDEX audit_log_day_idx ON audit_log (day, id)`,

  `CREATE TABLE audit_closed (day date PRIMARY KEY)`,
  `CREATE TABLE audit_seal (
  id uuid PRIMARY KEY,
  day date NOT NULL UNIQUE,
  record_count bigint NOT NULL,
  previous text,
  digest text NOT NULL,
  sealed_at timestamptz NOT NULL
)`,
  `CREATE TABLE audit_detachment (
  day date PRIMARY KEY REFERENCES audit_seal (day),
  detached_at timestamptz NOT NULL
)`,
  ...["audit_closed", "audit_seal", "audit_detachment"].map(
    (table) => `CREATE TRIGGER ${table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table}
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`
  ),
  `CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,

  // Under another isolation the snapshot may be older than the lock, and a record would fall into a day that is closed.
  `CREATE FUNCTION place_in_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'audit_log takes records in READ COMMITTED only' USING ERRCODE = 'feature_not_supported';
  END IF;
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(TG_TABLE_SCHEMA || '.audit_day', 0));
  NEW.day := greatest((NEW.timestamp AT TIME ZONE 'UTC')::date, (SELECT max(day) + 1 FROM audit_closed));
  RETURN NEW;
END
$$`,
  `CREATE TRIGGER audit_log_place BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION place_in_day()`,
  `CREATE FUNCTION refuse_unless_detached() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM audit_detachment d WHERE d.day = OLD.day) THEN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN OLD;
END
$$`,
  `CREATE TRIGGER audit_log_keep BEFORE DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_unless_detached()`,

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
