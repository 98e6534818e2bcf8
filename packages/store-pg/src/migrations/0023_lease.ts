/** Which process has a job that runs in one place. */
export const statements: ReadonlyArray<string> = [
  `CREATE TABLE lease (
  name text PRIMARY KEY,
  holder text NOT NULL,
  term bigint NOT NULL,
  until timestamptz NOT NULL
) WITH (fillfactor = 50)`
]
