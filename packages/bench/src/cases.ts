/** The table of cases, in the order they are run: `ingest` leaves inbounds behind that no list could open. */
import type { Case } from "./Case.ts"
import { cached } from "./cases/Cached.ts"
import { cuts } from "./cases/Cut.ts"
import { flat } from "./cases/Flat.ts"
import { ingest } from "./cases/Ingest.ts"
import { lists } from "./cases/Lists.ts"
import { memory } from "./cases/Memory.ts"
import { nodes } from "./cases/Nodes.ts"
import { quota } from "./cases/Quota.ts"
import { reports } from "./cases/Reports.ts"
import { start } from "./cases/Start.ts"
import { uncached } from "./cases/Uncached.ts"
import { wal } from "./cases/Wal.ts"

export const cases: ReadonlyArray<Case> = [
  uncached,
  cached,
  flat,
  lists,
  cuts,
  reports,
  ingest,
  quota,
  wal,
  nodes,
  memory,
  start
]
