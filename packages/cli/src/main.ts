#!/usr/bin/env node
/** The executable. Everything else is loaded once the Node it runs on is known to do. */
import { enableCompileCache } from "node:module"

const wanted = [22, 19] as const
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
  console.error(`vpnmgr: Node ${wanted.join(".")} or newer is needed, and this is ${process.versions.node}.`)
  console.error("vpnmgr: In the repository, `npx vpnmgr` brings its own.")
  process.exit(1)
}

/** Whoever reads may stop reading, as `head` does: then there is nothing more to do. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))

enableCompileCache()
const { run } = await import("./Program.ts")
const code = await run(process.argv.slice(2))

/** A pipe takes 64 KiB at once; what is left would be lost with the process. */
for (const stream of [process.stdout, process.stderr]) await new Promise((taken) => stream.write("", taken))
process.exit(code)
