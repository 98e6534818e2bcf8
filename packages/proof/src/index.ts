/** What runs are built on, for those outside this package's own runs. */
export * as Api from "./Api.ts"
export * as Arena from "./Arena.ts"
export * as Namespace from "./Namespace.ts"
export * as Postgres from "./Postgres.ts"
export * as Server from "./Server.ts"
export * as Simulator from "./Simulator.ts"
