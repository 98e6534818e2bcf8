/** What subscriptions are listed and searched by. Searching needs no extension: nobody but a superuser may add one. */
export const statements: ReadonlyArray<string> = [
  `ALTER TABLE subscription
  ADD COLUMN title_key text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN search_key text NOT NULL DEFAULT ''`,
  `UPDATE subscription SET title_key = lower(coalesce(title, '')),
  search_key = lower(coalesce(title, '') || chr(31) || coalesce(description, '')) WHERE deleted_at IS NULL`,

  `CREATE FUNCTION search_grams(content text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(DISTINCT gram), '{}') FROM (
    SELECT c AS one, c || lead(c) OVER w AS two, c || lead(c) OVER w || lead(c, 2) OVER w AS three
    FROM unnest(string_to_array(content, NULL)) WITH ORDINALITY AS x (c, n) WINDOW w AS (ORDER BY n)) AS y
  CROSS JOIN LATERAL (VALUES (one), (two), (three)) AS v (gram) WHERE gram IS NOT NULL
$$`,
  `CREATE INDEX subscription_search_idx ON subscription USING gin (search_grams(search_key)) WHERE deleted_at IS NULL`,

  `CREATE INDEX subscription_title_idx ON subscription (title_key, id) WHERE deleted_at IS NULL`,
  `CREATE INDEX subscription_created_idx ON subscription (created_at, id) WHERE deleted_at IS NULL`,
  `CREATE INDEX subscription_expires_idx ON subscription ((coalesce(expires_at, 'infinity')), id) WHERE deleted_at IS NULL`,
  `CREATE INDEX subscription_owner_title_idx ON subscription (owner_id, title_key, id) WHERE deleted_at IS NULL`,
  `CREATE INDEX subscription_owner_created_idx ON subscription (owner_id, created_at, id) WHERE deleted_at IS NULL`,
  `CREATE INDEX subscription_owner_expires_idx ON subscription (owner_id, (coalesce(expires_at, 'infinity')), id)
  WHERE deleted_at IS NULL`,
  `CREATE INDEX subscription_suspended_idx ON subscription (id) WHERE is_suspended AND deleted_at IS NULL`,
  `CREATE INDEX bucket_exhausted_idx ON bucket (kind, exhausted_until, id) WHERE exhausted_until IS NOT NULL`
]
