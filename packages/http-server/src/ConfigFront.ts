/**
 * `/s/{link}` in front of the router: a closure that answers `GET` and `HEAD` from what is kept, or asks the core, and
 * lets every other request through. The router, its middlewares and a log line cost more than the answer (decision 37).
 *
 * What holds for every request holds here: bounded in number (`Policy.strangers`) and in time (the core's patience with
 * the store), counted under `/s/*`, never the link; logged at level debug.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { ConfigDelivery } from "@vpnmgr/core"
import { Cause, Effect, type Exit, Layer, LogLevel, References } from "effect"
import * as ConfigAnswer from "./ConfigAnswer.ts"
import { Policy } from "./Policy.ts"
import * as Requests from "./Requests.ts"

const { route } = ConfigAnswer

/** True for requests that are answered here: without a body, which the router's door would judge. */
const isOurs = ({ headers, method, url }: IncomingMessage): boolean =>
  (method === "GET" || method === "HEAD") &&
  url!.startsWith("/s/") &&
  headers["content-length"] === undefined &&
  headers["transfer-encoding"] === undefined

const make = Effect.gen(function* () {
  const delivery = yield* ConfigDelivery.ConfigDelivery
  const answers = yield* ConfigAnswer.make
  const { strangers } = yield* Policy
  const context = yield* Effect.context()
  const run = Effect.runForkWith(context)
  const isLogged = LogLevel.isLessThanOrEqualTo(yield* References.MinimumLogLevel, "Debug")
  let inside = 0

  const write = (request: IncomingMessage, response: ServerResponse, answer: ConfigAnswer.ConfigAnswer) => {
    const method = request.method!
    const { body, headers, outcome, status } = answer
    response.writeHead(status, headers as Array<string>)
    if (method === "HEAD" || status === 304) response.end()
    else response.end(body)
    ConfigAnswer.counterOf(outcome).updateUnsafe(1, context)
    Requests.counterOf(route, method, status).updateUnsafe(1, context)
    if (isLogged) run(Effect.logDebug("answered", { method, route, status }))
  }

  type Found = Exit.Exit<ConfigDelivery.Delivery, unknown>

  const answerOf = (exit: Found, ifNoneMatch: string | undefined): ConfigAnswer.ConfigAnswer => {
    if (exit._tag === "Success") return answers.of(exit.value, ifNoneMatch)
    if (!Cause.hasDies(exit.cause)) return answers.away
    run(Effect.logError("a request failed", exit.cause))
    return answers.failed
  }

  return (request: IncomingMessage, response: ServerResponse): boolean => {
    if (!isOurs(request)) return false
    const link = ConfigAnswer.linkOf(request.url!)
    const ifNoneMatch = request.headers["if-none-match"]
    const kept = delivery.kept(link)
    if (kept !== undefined) {
      write(request, response, answers.ofKept(kept, ifNoneMatch))
      return true
    }
    if (inside >= strangers) {
      write(request, response, answers.crowded)
      return true
    }
    inside++
    delivery.look(link, (exit) => {
      inside--
      if (!response.destroyed) write(request, response, answerOf(exit, ifNoneMatch))
    })
    return true
  }
})

/** Answers configs in front of whatever else listens to the server's requests, for as long as the layer lives. */
export const layer = (server: Server): Layer.Layer<never, never, ConfigDelivery.ConfigDelivery> =>
  Layer.effectDiscard(
    Effect.flatMap(make, (answers) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const { emit } = server
          server.emit = (event: string, ...args: ReadonlyArray<unknown>) =>
            event === "request" && answers(args[0] as IncomingMessage, args[1] as ServerResponse)
              ? true
              : (Reflect.apply(emit, server, [event, ...args]) as boolean)
          return emit
        }),
        (emit) => Effect.sync(() => void (server.emit = emit))
      )
    )
  )
