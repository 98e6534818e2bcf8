/** A batch that is set aside is kept once, however often its agent repeats it. */
export const statements: ReadonlyArray<string> = [
  `DELETE FROM report_conflict later USING report_conflict earlier WHERE earlier.node_id = later.node_id
    AND earlier.spool = later.spool AND earlier.seq = later.seq AND earlier.digest = later.digest AND earlier.id < later.id`,
  `CREATE UNIQUE INDEX report_conflict_batch_idx ON report_conflict (node_id, spool, seq, digest)`
]
