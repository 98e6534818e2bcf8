import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig, type Options } from "tsup"

/** The sources of all packages, in place of what they were built to: what a command does not use is left out of it. */
const sources = Object.fromEntries(
  readdirSync(fileURLToPath(new URL("..", import.meta.url))).map((name) => [
    `@vpnmgr/${name}`,
    fileURLToPath(new URL(`../${name}/src/index.ts`, import.meta.url))
  ])
)

const common = {
  format: "esm",
  target: "node22",
  removeNodeProtocol: false,
  esbuildOptions: (options: { alias?: Record<string, string> }) => {
    options.alias = sources
  }
} as const

/**
 * The test build (`npm run build:test`): one bundle of all packages' sources in which the switches that crash proofs
 * need are on. It is written elsewhere, is no part of the package, and shows that it is one by its directory.
 */
const testBuild = defineConfig({
  ...common,
  entry: ["src/main.ts"],
  outDir: "dist-test",
  splitting: false,
  sourcemap: true,
  noExternal: [/^@vpnmgr\//],
  external: [/^(?!src\/|@vpnmgr\/|[./])/],
  define: { __VPNMGR_TEST_BUILD__: "true" }
})

/**
 * What is not bundled: native code, a database that finds its files beside itself; and a
 * reference page that nobody serves.
 */
const outside = ["@node-rs/argon2", "@electric-sql/pglite", "./internal/httpApiSwagger.js"]

const licence = (home: string): string => {
  const { license, name, version } = JSON.parse(readFileSync(`${home}/package.json`, "utf8"))
  const file = readdirSync(home).find((each) => /^licen[cs]e/i.test(each))
  const text = file === undefined ? "" : `\n\n${readFileSync(`${home}/${file}`, "utf8").trim()}`
  return `${name} ${version} (${license})${text}`
}

/** Writes beside the bundle the licences of what is in it. */
const notices: NonNullable<Options["esbuildPlugins"]>[number] = {
  name: "notices",
  setup: (builder) =>
    builder.onEnd(({ metafile, outputFiles }) => {
      if (outputFiles === undefined) return
      const homes = Object.keys(metafile?.inputs ?? {}).flatMap(
        (file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []
      )
      const texts = [...new Set(homes)].sort().map(licence)
      mkdirSync("dist", { recursive: true })
      writeFileSync("dist/NOTICES.txt", `${texts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`)
    })
}

/**
 * The executable, and a chunk for whatever a command loads by itself, libraries and all: of `effect` a third is used, and
 * what is not loaded takes no memory and no time (decision 31).
 */
const build = defineConfig({
  ...common,
  entry: { main: "src/main.ts", Worker: "../template-nunjucks/src/Worker.ts" },
  splitting: true,
  minifyWhitespace: true,
  minifySyntax: true,
  clean: ["!**/*.d.ts", "!**/*.d.ts.map"],
  noExternal: [new RegExp(`^(?!(${outside.join("|")})$)`)],
  external: outside,
  define: { __VPNMGR_TEST_BUILD__: "false" },
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"\nconst require = requireFrom(import.meta.url)'
  },
  esbuildPlugins: [notices]
})

export default process.env["npm_lifecycle_event"] === "build:test" ? testBuild : build
