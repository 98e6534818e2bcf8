import { defineConfig } from "vitest/config"

/** One file at a time: the tests measure, and share the namespace's ports. */
export default defineConfig({ test: { fileParallelism: false } })
