/** The version of this build, from the package it lies in. */
import { Schema } from "effect"
import * as fs from "node:fs"

const Package = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

/** Such as `1.2.3`. */
export const version: string = Schema.decodeSync(Package)(
  fs.readFileSync(new URL("../package.json", import.meta.url), "utf8")
).version
