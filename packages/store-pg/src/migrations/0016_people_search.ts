/** What users and groups are searched by, as subscriptions are. */
export const statements: ReadonlyArray<string> = [
  `CREATE INDEX user_account_search_idx ON user_account USING gin (search_grams(lower(username))) WHERE deleted_at IS NULL`,
  `ALTER TABLE user_group ADD COLUMN name_key text NOT NULL DEFAULT ''`,
  `UPDATE user_group SET name_key = lower(name)`,
  `CREATE INDEX user_group_search_idx ON user_group USING gin (search_grams(name_key))`
]
