/**
 * A nunjucks file on the deployer's disk as the `ConfigTemplate` port: read and compiled once, tried on every sample before
 * it serves, rendered in a thread that can be ended.
 */
import { readFile, stat } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { ConfigModel, ConfigTemplate, Wire } from "@vpnmgr/core"
import { Effect, Layer, type Scope } from "effect"
import * as Renderer from "./internal/Renderer.ts"

/** Bytes of a template at most. */
const longest = 1024 * 1024

/** The documented template that renders what is rendered without one: the file to copy. */
export const defaultFile: string = fileURLToPath(new URL("../templates/default.njk", import.meta.url))

const names = Object.keys(ConfigModel.ConfigModel.to.fields).map(Wire.snake)

const read = (file: string) =>
  Effect.tryPromise({
    try: async () => {
      const { size } = await stat(file)
      if (size > longest) throw new Error(`it is larger than ${longest} bytes`)
      return readFile(file, "utf8")
    },
    catch: (error) =>
      new ConfigTemplate.TemplateFailure({
        detail: `${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`
      })
  })

/** Loads a template and tries it; fails with the file, the line and the reason. Its thread ends with the scope. */
export const load = Effect.fn("NunjucksTemplate.load")(function* (
  file: string
): Effect.fn.Return<ConfigTemplate.Template, ConfigTemplate.TemplateFailure, Scope.Scope> {
  const template = yield* Renderer.make({ name: file, text: yield* read(file), names })
  yield* ConfigTemplate.check(template)
  return template
})

/** Serves configs by a template. */
export const layer = (file: string): Layer.Layer<never, ConfigTemplate.TemplateFailure> =>
  Layer.effect(ConfigTemplate.ConfigTemplate, load(file))
