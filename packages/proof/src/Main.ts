/** How every run begins and ends: inside a namespace of its own, with a report, and its exit code. */
import * as Namespace from "./Namespace.ts"
import * as Postgres from "./Postgres.ts"
import * as Report from "./Report.ts"
import * as SingBox from "./SingBox.ts"

/** Where the logs of a run are, once it knows. */
export interface Place {
  directory: string
}

/** What a run with real programs lacks on this machine, with what to install; `undefined` when nothing is. */
export const missing = async (version: string): Promise<string | undefined> =>
  SingBox.missing(version) ?? ((await Postgres.findBinaries()) === null ? Postgres.missing : undefined)

/** Runs this program again in a namespace, and there the run itself; ends the process with its exit code. */
export const main = async (
  name: string,
  run: (report: Report.Report, place: Place) => Promise<void>
): Promise<never> => {
  const place: Place = { directory: "not there yet" }
  const report = Report.make(() => place.directory)
  if (Namespace.isEntered()) await run(report, place)
  else {
    const lacking = Namespace.missing()
    if (lacking === undefined) return process.exit(await Namespace.run())
    report.skip(name, lacking)
  }
  return process.exit(report.end())
}
