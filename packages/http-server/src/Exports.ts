/**
 * Exports at work: a list, page after page, as one stream. Each page is a read of its own, asked for when the one before
 * has left: no transaction outlasts it, and memory holds one page whatever there is to export. A few may run at once,
 * and one that stands still is cut off.
 */
import { Access, Export, Problem } from "@vpnmgr/api"
import { Actor, type AuditLog, Instant, UserStore } from "@vpnmgr/core"
import { Cause, Clock, Context, Effect, Fiber, Layer, Option, Schema, type Scope, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import * as Csv from "./Csv.ts"
import { Policy } from "./Policy.ts"

/** Rows read at once. */
const pageSize = 500

const full = new Problem.TooMany({ detail: "Too many exports run already", retry_after: 30 })
const crowded = new Problem.TooMany({ detail: "Too many exports of yours run already", retry_after: 30 })

const signedOut = new Problem.Unauthorized({ detail: "Whoever asked is signed out, or of another role" })

const json = Schema.Record(Schema.String, Schema.Json)

/** The schema of an item: a struct with wire names, whose encoded side has the columns. */
type ItemSchema<A> = Schema.Codec<A, unknown> & { readonly from: { readonly fields: object } }

/** Some items of a list, and where the next ones are; null on the last page. */
export interface Piece<A, Position> {
  readonly items: ReadonlyArray<A>
  readonly next: Position | null
}

export interface Exported<A, Position, E, R> {
  /** Such as `traffic-reports`: the beginning of the file's name. */
  readonly name: string
  readonly format: Export.Format | undefined
  readonly item: ItemSchema<A>
  /** The items after a position, from the beginning after null; at most so many. */
  readonly read: (after: Position | null, limit: number) => Effect.Effect<Piece<A, Position>, E, R>
}

/** Reads a list by id. */
export const byId =
  <A extends { readonly id: string }, E, R>(
    list: (page: AuditLog.Page) => Effect.Effect<ReadonlyArray<A>, E, R>
  ): Exported<A, string, E, R>["read"] =>
  (after, limit) =>
    Effect.map(list({ after, limit }), (items) => ({
      items,
      next: items.length < limit ? null : items.at(-1)!.id
    }))

/** Makes what turns a page of items into bytes. */
const encoder = <A>(item: ItemSchema<A>, format: Export.Format) => {
  const columns = Object.keys(item.from.fields)
  const encode = Schema.encodeSync(Schema.toCodecJson(item))
  const fields = (value: A) => Schema.decodeUnknownSync(json)(encode(value))
  const line =
    format === "csv"
      ? (value: A) => {
          const row = fields(value)
          return Csv.row(columns.map((column) => row[column]))
        }
      : (value: A) => `${JSON.stringify(encode(value))}\n`
  return {
    header: format === "csv" ? Csv.row(columns) : "",
    lines: (items: ReadonlyArray<A>) => items.map(line).join("")
  }
}

const fileName = (name: string, format: Export.Format, now: Instant.Instant) =>
  `${name}-${Instant.format(now).replaceAll(/[-:]|\.\d+/g, "")}.${format}`

export class Exports extends Context.Service<
  Exports,
  {
    /**
     * Answers with the whole list. The first page is read before, so that what goes wrong then is answered as a problem;
     * what goes wrong later aborts the connection, as does whatever signs its reader out or takes its role.
     */
    readonly answer: <A, Position, E, R>(
      exported: Exported<A, Position, E, R>
    ) => Effect.Effect<
      HttpServerResponse.HttpServerResponse,
      E | Problem.TooMany,
      R | Actor.Actor | Access.CurrentSession | Scope.Scope
    >
  }
>()("@vpnmgr/http-server/Exports") {
  static readonly layer = Layer.effect(
    Exports,
    Effect.gen(function* () {
      const { exports, exportIdle, exportsOfPerson } = yield* Policy
      const users = yield* UserStore.UserStore
      /** Whose they are: of somebody who acts for another, its own. */
      const running: Array<string> = []
      const enter = Effect.flatMap(Actor.Actor, ({ by, id }) => {
        const who = by ?? id
        if (running.length >= exports) return Effect.fail(full)
        if (running.filter((each) => each === who).length >= exportsOfPerson) return Effect.fail(crowded)
        running.push(who)
        return Effect.succeed(who)
      })
      const place = Effect.acquireRelease(enter, (who) =>
        Effect.sync(() => void running.splice(running.indexOf(who), 1))
      )

      /** What a request may do is asked once; an export outlasts the answer, so again before each later page. */
      const stillAllowed = Effect.gen(function* () {
        const { by, id: actorId, role } = yield* Actor.Actor
        const { id } = yield* Access.CurrentSession
        if (id === null) return
        const session = yield* users.session(id)
        const user = yield* users.user(by ?? actorId)
        const isAllowed = user !== null && !user.isDisabled && user.role === (by === undefined ? role : "superuser")
        if (!isAllowed || (session !== null && session.revokedAt !== null)) return yield* signedOut
      })

      /** Ends the stream's reader when nothing has left for too long, also while it waits for its client. */
      const watched = Effect.fnUntraced(function* <E, R>(stream: Stream.Stream<Uint8Array, E, R>) {
        let movedAt = yield* Clock.currentTimeMillis
        let reader: Fiber.Fiber<unknown, unknown> | undefined
        const moved = Effect.withFiber<void>((fiber) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            reader = fiber
            movedAt = now
          })
        )
        const watch = Effect.gen(function* () {
          for (;;) {
            const left = movedAt + exportIdle - (yield* Clock.currentTimeMillis)
            if (left <= 0) break
            yield* Effect.sleep(left)
          }
          yield* Effect.logWarning("an export stood still and was cut off")
          if (reader !== undefined) yield* Fiber.interrupt(reader)
        })
        yield* Effect.forkScoped(watch)
        return Stream.tap(stream, () => moved)
      })

      return Exports.of({
        answer: Effect.fn("Exports.answer")(function* <A, Position, E, R>({
          name,
          format = "ndjson",
          item,
          read
        }: Exported<A, Position, E, R>) {
          yield* place
          const context = yield* Effect.context<R | Actor.Actor | Access.CurrentSession>()
          const { header, lines } = encoder(item, format)
          const bytes = new TextEncoder()
          const first = yield* read(null, pageSize)
          const later =
            first.next === null
              ? Stream.empty
              : Stream.paginate(first.next, (after: Position) =>
                  Effect.map(
                    Effect.andThen(stillAllowed, read(after, pageSize)),
                    ({ items, next }) => [[items], Option.fromNullishOr(next)] as const
                  )
                )
          const head = bytes.encode(header + lines(first.items))
          const body = Stream.concat(
            Stream.make(head),
            Stream.map(later, (items) => bytes.encode(lines(items)))
          ).pipe(
            Stream.filter((chunk) => chunk.length > 0),
            Stream.tapCause((cause) =>
              Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("an export was cut off", cause)
            )
          )
          return HttpServerResponse.stream(Stream.provideContext(yield* watched(body), context), {
            contentType: Export.mediaTypes[format],
            headers: {
              "content-disposition": `attachment; filename="${fileName(name, format, yield* Instant.now)}"`
            }
          })
        })
      })
    })
  )
}
