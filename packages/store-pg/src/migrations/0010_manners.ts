/**
 * Answers by the keys their askers gave, sealed: they name links and other things a dump must not tell. So is the
 * fingerprint of the request, which may hold a password: a bare hash could be guessed at.
 */
export const statements: ReadonlyArray<string> = [
  `CREATE TABLE idempotency_key (
  actor_id uuid NOT NULL,
  key text NOT NULL,
  answer bytea NOT NULL,
  answered_at timestamptz NOT NULL,
  PRIMARY KEY (actor_id, key)
)`,
  `CREATE INDEX idempotency_key_answered_idx ON idempotency_key (answered_at)`
]
