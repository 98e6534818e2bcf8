"""What changed in the database, by triggers of the run's own: every row of every table, and who may move by itself."""

import psycopg

# What the server's jobs do after an earlier change, in the middle of whatever is asked meanwhile.
MOVES_BY_ITSELF = {
    ("node_dirty", "DELETE"): "the assigner takes marks away after the change that made them",
    ("node_head", "UPDATE"): "the assigner allots revisions after commits",
    ("node_head", "INSERT"): "the assigner allots a node's first revision",
    ("node_item", "UPDATE"): "the assigner stamps what changed with its revision",
    ("node_item", "INSERT"): "the assigner stamps what changed with its revision",
    ("node_item", "DELETE"): "the assigner forgets what is gone",
    ("bucket", "UPDATE"): "windows turn at their ends",
    ("lease", "UPDATE"): "whoever does what one does for all extends its lease",
    ("report_batch", "UPDATE"): "what a report said is folded later",
    ("usage_piece", "INSERT"): "hourly sums are made of reports later",
    ("usage_piece", "UPDATE"): "hourly sums are made of reports later",
    ("access_log", "INSERT"): "spans of use are made of reports later",
    ("access_log", "UPDATE"): "spans of use are made of reports later",
}

SETUP = """
CREATE SCHEMA IF NOT EXISTS fuzz;
CREATE UNLOGGED TABLE IF NOT EXISTS fuzz.change (name text NOT NULL, op text NOT NULL, shown text);
CREATE OR REPLACE FUNCTION fuzz.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fuzz.change VALUES (TG_ARGV[0], TG_OP, coalesce(to_jsonb(NEW), to_jsonb(OLD))::text);
  RETURN NULL;
END $$;
"""

TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = %s AND relkind IN ('r', 'p') AND NOT relispartition
"""


class Changes:
    """Reads and forgets what has changed since it was last read."""

    def __init__(self, url, schema="vpnmgr"):
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute(SETUP)
        self.tables = [name for (name,) in self.connection.execute(TABLES, (schema,)).fetchall()]
        for name in self.tables:
            self.connection.execute(f'DROP TRIGGER IF EXISTS fuzz_note ON "{schema}"."{name}"')
            self.connection.execute(
                f'CREATE TRIGGER fuzz_note AFTER INSERT OR UPDATE OR DELETE ON "{schema}"."{name}" '
                f"FOR EACH ROW EXECUTE FUNCTION fuzz.note('{name}')"
            )

    def take(self):
        """Everything since the last time but what moves by itself, and rows that came and went in one request."""
        rows = self.connection.execute("DELETE FROM fuzz.change RETURNING name, op, shown").fetchall()
        passing = {(n, s) for n, op, s in rows if op == "INSERT"} & {(n, s) for n, op, s in rows if op == "DELETE"}
        return [row for row in rows if (row[0], row[1]) not in MOVES_BY_ITSELF and (row[0], row[2]) not in passing]
