/** The table of cases, in the order they are run. */
import type { Case } from "./Case.ts"
import { cached } from "./cases/Cached.ts"
import { flat } from "./cases/Flat.ts"
import { ingest } from "./cases/Ingest.ts"
import { memory } from "./cases/Memory.ts"
import { quota } from "./cases/Quota.ts"
import { reports } from "./cases/Reports.ts"
import { start } from "./cases/Start.ts"
import { uncached } from "./cases/Uncached.ts"
import { wal } from "./cases/Wal.ts"

export const cases: ReadonlyArray<Case> = [uncached, cached, flat, reports, ingest, quota, wal, memory, start]
