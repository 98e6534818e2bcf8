import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "tsup"

const source = (name: string) => fileURLToPath(new URL(`../${name}/src/index.ts`, import.meta.url))

/**
 * The test build (`npm run build:test`): one bundle of all packages' sources in which the switches that crash proofs
 * need are on. It is written elsewhere, is no part of the package, and shows that it is one by its directory.
 */
const testBuild = defineConfig({
  entry: ["src/main.ts"],
  format: "esm",
  target: "node22",
  outDir: "dist-test",
  splitting: false,
  sourcemap: true,
  noExternal: [/^@vpnmgr\//],
  external: [/^(?!src\/|@vpnmgr\/|[./])/],
  define: { __VPNMGR_TEST_BUILD__: "true" },
  removeNodeProtocol: false,
  esbuildOptions: (options) => {
    const packages = readdirSync(fileURLToPath(new URL("..", import.meta.url)))
    options.alias = Object.fromEntries(packages.map((name) => [`@vpnmgr/${name}`, source(name)]))
  }
})

/** The executable, and a chunk for whatever a command loads by itself. */
const build = defineConfig({
  entry: ["src/main.ts"],
  format: "esm",
  target: "node22",
  splitting: true,
  sourcemap: true,
  clean: ["!**/*.d.ts", "!**/*.d.ts.map"],
  removeNodeProtocol: false
})

export default process.env["npm_lifecycle_event"] === "build:test" ? testBuild : build
