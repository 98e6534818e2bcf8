/** The few buckets of owners lie among those of all subscriptions: weighing every bucket need not read the table twice. */
export const statements: ReadonlyArray<string> = [`CREATE INDEX bucket_owner_idx ON bucket (id) WHERE kind = 'owner'`]
