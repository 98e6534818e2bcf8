/** A version of each inbound's row, so that one that was opened before is known by a number; whoever changes it. */
export const statements: ReadonlyArray<string> = [
  `CREATE SEQUENCE inbound_version_seq`,
  `ALTER TABLE inbound ADD COLUMN version bigint NOT NULL DEFAULT nextval('inbound_version_seq')`,
  `CREATE INDEX inbound_version_idx ON inbound (version)`,
  `CREATE FUNCTION next_inbound_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version = nextval('inbound_version_seq');
  RETURN NEW;
END
$$`,
  `CREATE TRIGGER inbound_version BEFORE UPDATE ON inbound FOR EACH ROW EXECUTE FUNCTION next_inbound_version()`
]
