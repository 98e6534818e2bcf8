import { defineConfig } from "tsup"

/** `node:sqlite` has no name without its prefix. */
export default defineConfig({ removeNodeProtocol: false })
