import { defineConfig } from "tsup"

/** The switches of a test build fall away; only the command line's test build, made from the sources, has them. */
export default defineConfig({
  define: { __VPNMGR_TEST_BUILD__: "false" },
  esbuildOptions: (options) => {
    options.minifySyntax = true
  }
})
