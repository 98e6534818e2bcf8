/** What was used, as people read it: a column for each thing it was divided by. */
import type { Usage } from "@vpnmgr/api"
import { showBytes } from "../output/Amount.ts"
import * as Show from "../output/Show.ts"
import { table } from "../output/Table.ts"
import type { Column } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"

/** From when, until when. */
export const span = {
  from: Inputs.moment("from", "The first moment that counts; seven days ago by default"),
  to: Inputs.moment("to", "The first moment that does not; now by default")
}

const divided: ReadonlyArray<readonly [keyof Usage.UsageRow, Column<Usage.UsageRow>]> = [
  ["at", ["from", ({ at }) => Show.instant(at)]],
  ["inboundId", ["inbound", ({ inboundId }) => inboundId ?? ""]],
  ["nodeId", ["node", ({ nodeId }) => nodeId ?? ""]]
]

/** The rows, or that there are none. */
export const rows = ({ from, items, to }: typeof Usage.UsageView.Type): string =>
  table(
    [
      ...divided.flatMap(([key, column]) => (items.some((row) => row[key] !== null) ? [column] : [])),
      ["up", (row) => showBytes(row.bytesUp)],
      ["down", (row) => showBytes(row.bytesDown)],
      ["counted", (row) => showBytes(row.usedBytes)]
    ],
    items,
    `Nothing was reported from ${Show.instant(from)} to ${Show.instant(to)}.`
  )
