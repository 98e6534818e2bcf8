/** The arena that runs are built on: one import for those outside this package's own runs. */
export * as Arena from "./Arena.ts"
