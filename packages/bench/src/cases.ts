/** The table of cases, in the order they are run. */
import type { Case } from "./Case.ts"
import { cached } from "./cases/Cached.ts"
import { flat } from "./cases/Flat.ts"
import { ingest } from "./cases/Ingest.ts"
import { memory } from "./cases/Memory.ts"
import { reports } from "./cases/Reports.ts"
import { start } from "./cases/Start.ts"
import { uncached } from "./cases/Uncached.ts"

export const cases: ReadonlyArray<Case> = [uncached, cached, flat, reports, ingest, memory, start]
