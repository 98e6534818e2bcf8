/**
 * Checks who imports whom: packages only towards core, adapters never one another, and only a main wires layers.
 *
 * The table below is the rule. Tests may reach for the conformance suites as well. What a package may take from npm is
 * said by its own package.json (knip compares); core alone also keeps out of Node's API and names every library here.
 * Import lines are read by a parser, type imports included; cycles between files are found by oxlint (`import/no-cycle`).
 */
import { globSync, readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { dirname, join, normalize } from "node:path"
import { parseSync } from "oxc-parser"

const everything = "everything"

const mayImport: Readonly<Record<string, ReadonlyArray<string> | typeof everything>> = {
  core: [],
  conformance: ["core"],
  "store-pg": ["core"],
  "template-nunjucks": ["core"],
  "plane-sing-box": ["core"],
  api: ["core"],
  "http-server": ["api", "core"],
  "node-agent": ["core"],
  cli: everything,
  proof: everything,
  bench: everything
}

const coreLibraries = ["effect", "temporal-polyfill", "@noble/ciphers", "@noble/curves", "@noble/hashes"]

const importsOf = (file: string): ReadonlyArray<string> => {
  const { errors, module } = parseSync(file, readFileSync(file, "utf8"))
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const text = readFileSync(file, "utf8")
  return [
    ...module.staticImports.map((found) => found.moduleRequest.value),
    ...module.staticExports.flatMap((found) => found.entries.flatMap((entry) => entry.moduleRequest?.value ?? [])),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => text.slice(start, end).replaceAll(/["'`]/g, ""))
  ]
}

/** Says what is wrong with one import, or nothing. */
const objection = (file: string, specifier: string): string | undefined => {
  const [, home = "", area = ""] = file.split("/")
  const allowed = mayImport[home] ?? []

  if (specifier.startsWith(".")) {
    const target = normalize(join(dirname(file), specifier))
    if (target.startsWith(`packages/${home}/`)) {
      return area === "src" && !target.startsWith(`packages/${home}/src/`) ? "src imports only src" : undefined
    }
    return area !== "src" && target.startsWith("scripts/") ? undefined : "reaches into another package by path"
  }

  const neighbour = /^@vpnmgr\/([^/]+)/.exec(specifier)?.[1]
  if (neighbour !== undefined) {
    if (allowed === everything || neighbour === home || allowed.includes(neighbour)) return undefined
    return area !== "src" && neighbour === "conformance" ? undefined : `${home} may not import @vpnmgr/${neighbour}`
  }
  if (home !== "core" || area !== "src") return undefined
  if (isBuiltin(specifier)) return "core has no Node API"
  const library = coreLibraries.some((name) => specifier === name || specifier.startsWith(`${name}/`))
  return library ? undefined : "core takes only the libraries listed in scripts/import-direction.ts"
}

const files = globSync("packages/*/{src,test}/**/*.ts").toSorted()
const strangers = new Set(files.map((file) => file.split("/")[1] ?? "").filter((home) => !(home in mayImport)))
const unlisted = [...strangers].map((home) => `packages/${home}: has no line in scripts/import-direction.ts`)
const found = files.flatMap((file) =>
  importsOf(file).flatMap((specifier) => {
    const why = objection(file, specifier)
    return why === undefined ? [] : [`${file}: "${specifier}": ${why}`]
  })
)
for (const line of [...unlisted, ...found]) console.log(line)
console.log(`${files.length} files, ${found.length} imports the wrong way`)
process.exitCode = unlisted.length + found.length > 0 || files.length === 0 ? 1 : 0
