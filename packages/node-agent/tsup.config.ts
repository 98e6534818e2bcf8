import { defineConfig } from "tsup"

/** `node:sqlite` has no name without its prefix; the switches of a test build fall away. */
export default defineConfig({
  removeNodeProtocol: false,
  define: { __VPNMGR_TEST_BUILD__: "false" },
  esbuildOptions: (options) => {
    options.minifySyntax = true
  }
})
