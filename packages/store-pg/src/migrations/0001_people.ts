/** Settings, the append-only audit log, users, groups and sessions. */
export const statements: ReadonlyArray<string> = [
  `CREATE TABLE setting (
  key text PRIMARY KEY,
  value text NOT NULL
)`,

  `CREATE TABLE audit_log (
  id uuid PRIMARY KEY,
  timestamp timestamptz NOT NULL,
  actor_id uuid NOT NULL,
  action text NOT NULL,
  target_type text NOT NULL,
  target_id uuid NOT NULL,
  meta jsonb NOT NULL
)`,
  `CREATE INDEX audit_log_actor_idx ON audit_log (actor_id, id)`,
  `CREATE INDEX audit_log_target_idx ON audit_log (target_id, id)`,
  `CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$`,
  `CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,

  `CREATE TABLE user_account (
  id uuid PRIMARY KEY,
  username text NOT NULL,
  role text NOT NULL CHECK (role IN ('superuser', 'operator')),
  password_hash text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
)`,
  `CREATE UNIQUE INDEX user_account_username_key ON user_account (lower(username))`,

  `CREATE TABLE user_group (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  max_traffic bigint,
  max_speed bigint,
  traffic_reset_period text,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
)`,

  `CREATE TABLE membership (
  user_id uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
  group_id uuid NOT NULL,
  PRIMARY KEY (user_id, group_id)
)`,
  `CREATE INDEX membership_group_idx ON membership (group_id, user_id)`,

  `CREATE TABLE session (
  id text PRIMARY KEY,
  user_id uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
)`
]
