/** Users that are disabled or deleted, and sessions that can be listed, renewed and removed. */
export const statements: ReadonlyArray<string> = [
  `ALTER TABLE user_account
  ADD COLUMN is_disabled boolean NOT NULL DEFAULT false,
  ADD COLUMN deleted_at timestamptz,
  ALTER COLUMN password_hash DROP NOT NULL`,
  `DROP INDEX user_account_username_key`,
  `CREATE UNIQUE INDEX user_account_username_key ON user_account (lower(username)) WHERE deleted_at IS NULL`,
  `CREATE INDEX user_account_superuser_idx ON user_account (id) WHERE role = 'superuser' AND deleted_at IS NULL`,
  `CREATE INDEX user_account_disabled_idx ON user_account (id) WHERE is_disabled AND deleted_at IS NULL`,

  `ALTER TABLE session ALTER COLUMN id TYPE uuid USING id::uuid, ADD COLUMN created_at timestamptz`,
  `UPDATE session SET created_at = least(now(), expires_at)`,
  `ALTER TABLE session ALTER COLUMN created_at SET NOT NULL`,
  `CREATE INDEX session_user_idx ON session (user_id, id)`,
  `CREATE INDEX session_expires_idx ON session (expires_at)`
]
