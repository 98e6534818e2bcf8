import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric } from "effect"
import {
  Actor,
  ConfigDelivery,
  ConfigSamples,
  ConfigTemplate,
  ControlPlane,
  MemoryStores,
  SingBoxClient,
  Subscriptions
} from "../src/index.ts"

const [[, model]] = ConfigSamples.samples as [(typeof ConfigSamples.samples)[number]]

/** A template that answers this, whatever it is asked. */
const answering = (text: string): ConfigTemplate.Template => ({ render: () => Effect.succeed(text) })

const config = (tag: string) =>
  JSON.stringify({ inbounds: [], outbounds: [{ type: "block", tag }], route: { final: tag } })

describe("ConfigTemplate", () => {
  it.effect("takes what is a config, and says of the rest what was expected, not what was there", () =>
    Effect.gen(function* () {
      const detail = (text: string) =>
        Effect.map(Effect.flip(ConfigTemplate.render(answering(text), model)), ({ detail }) => detail)
      assert.strictEqual((yield* ConfigTemplate.render(answering(config("a")), model)).route.final, "a")
      const secret = "a password of 24 characters"
      for (const text of [
        `{ "${secret}" }`,
        `["${secret}"`,
        `"${secret}`,
        `{"password":"${secret}",}`,
        JSON.stringify({ inbounds: [], outbounds: [{ type: secret }], route: { final: "a" } }),
        JSON.stringify({
          inbounds: [],
          outbounds: [{ type: "vless", tag: "a", server: "h", server_port: secret, uuid: "u" }],
          route: { final: "a" }
        })
      ])
        assert.notInclude(yield* detail(text), secret)
      assert.match(yield* detail("{"), /^what came of it is not JSON: /)
      assert.match(yield* detail("{}"), /no sing-box config: inbounds: /)
      assert.match(yield* detail(config("a").replace('"final":"a"', '"final":"b"')), /an outbound with the tag "b"/)
      assert.match(yield* detail(" ".repeat(ConfigTemplate.longest + 1)), /more than 4194304 characters/)
    })
  )

  it.effect("is tried on every sample before it serves", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      yield* ConfigTemplate.check({
        render: ({ state }) => Effect.sync(() => (seen.push(state), config("a")))
      })
      assert.strictEqual(seen.length, ConfigSamples.samples.length)
      assert.sameMembers([...new Set(seen)], ["active", "expired", "over_limit", "no_servers"])
      const { detail } = yield* Effect.flip(
        ConfigTemplate.check({ render: ({ state }) => Effect.succeed(state === "expired" ? "" : config("a")) })
      )
      assert.match(detail, /\(rendered for the sample "expired"\)$/)
    })
  )
})

const lines: Array<string> = []

/** Breaks for one title alone. */
const picky: ConfigTemplate.Template = {
  render: ({ title }) =>
    title === "odd"
      ? Effect.fail(new ConfigTemplate.TemplateFailure({ detail: "config.njk:3:1: it breaks" }))
      : Effect.succeed(config("by the template"))
}

const layer = ControlPlane.layer.pipe(
  Layer.provideMerge(MemoryStores.layer),
  Layer.provide(Layer.succeed(ConfigTemplate.ConfigTemplate, picky)),
  Layer.provideMerge(Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))]))
)

const none = { maxTraffic: null, maxSpeed: null, trafficResetPeriod: null, ownerId: null, description: null }

describe("A template that breaks for one subscription", () => {
  it.effect("is not served to it, and that is reported without its link", () =>
    Effect.gen(function* () {
      const subscriptions = yield* Subscriptions.Subscriptions
      const delivery = yield* ConfigDelivery.ConfigDelivery
      const made = (title: string) =>
        Effect.map(
          subscriptions.create({ ...none, title, expiresAt: null, inboundIds: [], anchor: null }),
          ({ subscription }) => subscription
        )
      const body = Effect.fnUntraced(function* (link: string) {
        const found = yield* delivery.fetch(link)
        return found._tag === "Config" ? found.body : ""
      })
      const [even, odd] = [yield* made("even"), yield* made("odd")]
      assert.strictEqual(yield* body(even.link), config("by the template"))
      assert.deepStrictEqual(lines, [])
      const shown = (yield* delivery.show(odd.link))!
      assert.strictEqual(shown.failure, "config.njk:3:1: it breaks")
      assert.deepStrictEqual(shown.config, SingBoxClient.render(shown.model))
      assert.strictEqual(yield* body(odd.link), JSON.stringify(shown.config))
      assert.strictEqual((yield* delivery.show(even.link))!.failure, null)
      const [line] = lines
      assert.include(line, "config.njk:3:1: it breaks")
      assert.include(line, odd.id.slice(0, 18))
      assert.notInclude(line, odd.link)
      const counted = (yield* Metric.snapshot).find(({ id }) => id === "config_template_failures_total")
      assert.deepInclude(counted?.state, { count: 1 })
    }).pipe(Effect.provideService(Actor.Actor, Actor.system), Effect.provide(layer))
  )
})
