export * as HttpServer from "./HttpServer.ts"
export * as Jobs from "./Jobs.ts"
export * as Policy from "./Policy.ts"
export * as Setup from "./Setup.ts"
