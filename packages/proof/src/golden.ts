/**
 * The golden run: the whole product with real programs, on the oldest and the newest sing-box.
 *
 *   npm run golden -- --only path --sing-box 1.12.12 --keep
 */
import { parseArgs } from "node:util"
import { books } from "./golden/Books.ts"
import { neighbour } from "./golden/Neighbour.ts"
import { offline } from "./golden/Offline.ts"
import { path } from "./golden/Path.ts"
import * as Run from "./golden/Run.ts"
import { traces } from "./golden/Traces.ts"
import * as Main from "./Main.ts"
import type * as Report from "./Report.ts"
import * as SingBox from "./SingBox.ts"

const parts = { path, neighbour, offline }

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    "sing-box": { type: "string", multiple: true },
    keep: { type: "boolean", default: false }
  }
})
const wanted = values.only ?? Object.keys(parts)
const versions = values["sing-box"] ?? SingBox.versions

const unknown = wanted.filter((name) => !Object.hasOwn(parts, name))
if (unknown.length > 0) {
  console.error(`there is no part ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}`)
  process.exit(2)
}

const runVersion = async (version: string, report: Report.Report, place: Main.Place) => {
  const missing = await Main.missing(version)
  if (missing !== undefined) return report.skip(`sing-box ${version}`, missing)
  let golden!: Run.Run
  await report.step(`sing-box ${version}: the arena opens`, async () => {
    const began = Date.now()
    golden = await Run.open(version, report)
    place.directory = golden.arena.directory
    return `PostgreSQL, server, ${golden.arena.nodes.length} nodes with ${golden.arena.inbounds().length} inbounds in ${Date.now() - began} ms; grain ${Run.grain / 1000} s, agents by default: read 2 s, report 10 s`
  })
  const failed = report.failed()
  for (const [name, part] of Object.entries(parts)) if (wanted.includes(name)) await part(golden)
  await books(golden)
  await traces(golden)
  await golden.close(values.keep || report.failed() > failed)
}

await Main.main("golden", async (report, place) => {
  for (const version of versions) {
    await report.sequence(`sing-box ${version}`, () => runVersion(version, report, place))
  }
})
