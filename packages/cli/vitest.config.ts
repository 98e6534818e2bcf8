import { defineConfig } from "vitest/config"

/** A first start of the embedded database takes seconds, on a busy machine many. */
export default defineConfig({
  test: {
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    globalSetup: ["../../scripts/vitest-postgres.ts"]
  }
})
