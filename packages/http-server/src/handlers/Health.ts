/** `/health`: live while the process runs, ready while the store answers and the server is not stopping. */
import { Api } from "@vpnmgr/api"
import { SettingStore } from "@vpnmgr/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { LongPolls } from "../LongPolls.ts"
import * as Refusal from "../Refusal.ts"
import type { OpenHandlers } from "./Handlers.ts"

const ok = { status: "ok" as const }

export const layer: OpenHandlers<"health", SettingStore.SettingStore | LongPolls> = HttpApiBuilder.group(
  Api,
  "health",
  Effect.fn(function* (handlers) {
    const settings = yield* SettingStore.SettingStore
    const polls = yield* LongPolls
    return handlers.handleAll({
      live: () => Effect.succeed(ok),
      ready: Effect.fnUntraced(function* () {
        if (yield* polls.isStopping) return yield* Refusal.unavailable("The server is stopping")
        yield* Refusal.storing(settings.generation)
        return ok
      })
    })
  })
)
