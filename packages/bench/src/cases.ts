/** The table of cases, in the order they are run. */
import type { Case } from "./Case.ts"
import { cached } from "./cases/Cached.ts"
import { cuts } from "./cases/Cut.ts"
import { flat } from "./cases/Flat.ts"
import { lists } from "./cases/Lists.ts"
import { memory } from "./cases/Memory.ts"
import { nodes } from "./cases/Nodes.ts"
import { reports } from "./cases/Reports.ts"
import { start } from "./cases/Start.ts"
import { uncached } from "./cases/Uncached.ts"

export const cases: ReadonlyArray<Case> = [uncached, cached, flat, lists, cuts, reports, nodes, memory, start]
