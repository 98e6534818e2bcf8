/**
 * A worker that renders one template, one model at a time. One that takes too long or too much memory is ended, and the
 * next model starts another.
 */
import { Worker } from "node:worker_threads"
import { ConfigTemplate } from "@vpnmgr/core"
import { Effect, type Scope, Semaphore } from "effect"
import type { Answer, Source } from "./Messages.ts"

/** Milliseconds for a worker to start and compile, for one model, and for one model with those before it. */
const bounds = { start: 10_000, render: 1000, wait: 3000 }

const limits = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 }

const program = new URL(import.meta.url.endsWith(".ts") ? "../Worker.ts" : "./Worker.js", import.meta.url)

const failed = (detail: string) => new ConfigTemplate.TemplateFailure({ detail })

const inWords = (error: Error & { readonly code?: string }): string =>
  error.code === "ERR_WORKER_OUT_OF_MEMORY"
    ? `took more than ${limits.maxOldGenerationSizeMb} MiB of memory`
    : `failed: ${error.message}`

/** Waits for what the worker says next. */
const answer = (worker: Worker, within: number, what: string) =>
  Effect.callback<Answer, ConfigTemplate.TemplateFailure>((resume) => {
    const end = (result: Effect.Effect<Answer, ConfigTemplate.TemplateFailure>) => {
      clearTimeout(timer)
      worker.off("message", heard).off("error", broke).off("exit", left)
      resume(result)
    }
    const fail = (why: string) => end(Effect.fail(failed(`${what} ${why}`)))
    const heard = (said: Answer) => end(Effect.succeed(said))
    const broke = (error: Error) => fail(inWords(error))
    const left = () => fail("ended its worker")
    const timer = setTimeout(() => fail(`took more than ${within} ms`), within)
    worker.once("message", heard).once("error", broke).once("exit", left)
  })

/** Starts a worker on a template; fails with what is wrong with it. */
export const make = Effect.fnUntraced(function* (
  source: Source
): Effect.fn.Return<ConfigTemplate.Template, ConfigTemplate.TemplateFailure, Scope.Scope> {
  const turn = yield* Semaphore.make(1)
  let current: Worker | undefined

  const end = Effect.promise(async () => {
    const worker = current
    current = undefined
    await worker?.terminate()
  })
  yield* Effect.addFinalizer(() => end)

  const settled = (said: Answer) => ("failure" in said ? Effect.fail(failed(said.failure)) : Effect.succeed(said.text))
  const orEnd = <A>(effect: Effect.Effect<A, ConfigTemplate.TemplateFailure>) => Effect.tapError(effect, () => end)

  const started = Effect.gen(function* () {
    if (current !== undefined) return current
    const worker = new Worker(program, { workerData: source, resourceLimits: limits, env: {}, execArgv: [] })
    worker.on("error", () => undefined).unref()
    current = worker
    yield* orEnd(Effect.flatMap(answer(worker, bounds.start, `${source.name}: compiling`), settled))
    return worker
  })

  yield* started
  return {
    render: (model) =>
      Effect.gen(function* () {
        const worker = yield* started
        worker.postMessage(model)
        return yield* settled(yield* orEnd(answer(worker, bounds.render, `${source.name}: rendering`)))
      }).pipe(
        Effect.uninterruptible,
        turn.withPermit,
        Effect.timeoutOrElse({
          duration: bounds.wait,
          orElse: () => Effect.fail(failed(`${source.name}: too many configs wait for the template`))
        })
      )
  }
})
