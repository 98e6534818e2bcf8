/** What is exhausted, in the order of ids: a page of what is over limit ends where it is full. */
export const statements: ReadonlyArray<string> = [
  `DROP INDEX bucket_exhausted_idx`,
  `CREATE INDEX bucket_exhausted_idx ON bucket (kind, id, exhausted_until) WHERE exhausted_until IS NOT NULL`
]
