import { assert, describe, it } from "@effect/vitest"
import { ConfigModel, ConfigSamples, ConfigTemplate, SingBoxClient } from "@vpnmgr/core"
import { Effect } from "effect"
import { NunjucksTemplate } from "../src/index.ts"
import * as Templates from "./Templates.ts"

const [[, model]] = ConfigSamples.samples as [(typeof ConfigSamples.samples)[number]]

/** Why a template does not serve, without the directory it lies in. */
const refusal = (source: string) =>
  Effect.gen(function* () {
    const path = yield* Templates.file(source)
    const { detail } = yield* Effect.flip(NunjucksTemplate.load(path))
    return detail.replaceAll(path, "config.njk")
  }).pipe(Effect.scoped)

const refused: ReadonlyArray<readonly [source: string, words: string]> = [
  [Templates.small(`, "x": {{ title.constructor | dump }}`), 'config.njk:2:43: the name "constructor" is not allowed'],
  ["{{ constructor }}", 'config.njk:1:4: the name "constructor"'],
  [`{{ title["constructor"] }}`, 'the name "constructor"'],
  [`{{ title["con" ~ "structor"] }}`, 'the name "constructor"'],
  [`{{ title[("con" + "struc") + "tor"] }}`, 'the name "constructor"'],
  [`{% if false %}\n{{ entries.__proto__ }}\n{% endif %}`, 'config.njk:2:12: the name "__proto__"'],
  [`{% set x = {"__proto__": 1} %}`, 'the name "__proto__"'],
  [`{% set prototype = 1 %}`, 'the name "prototype"'],
  [`{% for __proto__ in entries %}{% endfor %}`, 'the name "__proto__"'],
  [`{% for toString in [] %}{% endfor %}{{ toString }}`, "config.njk:1:8: expected a name that is not taken"],
  [`{% set valueOf = 1 %}`, "expected a name that is not taken"],
  [`{% set title.x = 1 %}`, "expected a name that is not taken"],
  [`{% for a, b.c in entries %}{% endfor %}`, "expected a name that is not taken"],
  [`{% set a, b = "con", "structor" %}`, "config.njk:1:"],
  [`{% set a = "con" %}{% set b = "structor" %}{{ title[a ~ b] | dump }}`, 'config.njk:1:57: the name "constructor"'],
  [`{{ title[["con", "structor"] | join] | dump }}`, 'the name "constructor"'],
  [`{{ title["CONSTRUCTOR" | lower] | dump }}`, 'the name "constructor"'],
  [`{{ title[["constructor"]] | dump }}`, 'the name "constructor"'],
  [`{{ title | attr("x") }}`, 'there is no filter "attr"; there are: dump, tojson'],
  [`{{ entries | groupby("tag") | dump }}`, 'there is no filter "groupby"'],
  [`{{ title.toString() }}`, "calls are not allowed"],
  [`{{ range(1000000000) }}`, "calls are not allowed"],
  [`{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}`, "macros are not allowed"],
  [`{% call m() %}{% endcall %}`, "calls are not allowed"],
  [`{% include "/etc/passwd" %}`, "include is not allowed"],
  [`{% import "x" as y %}`, "import is not allowed"],
  [`{% extends "x" %}`, "extends is not allowed"],
  [`{% block x %}{% endblock %}`, "blocks are not allowed"],
  [`{{ r/(a+)+$/ | dump }}`, "regular expressions are not allowed"],
  ['{{ a";process.exit();" }}', "config.njk:1:"],
  [`{{ title is "odd\\"x" }}`, "there is no test"],
  [`\n\n{{ titel }}`, 'config.njk:3:4: there is no "titel"; the model has: title, state'],
  [`{{ title`, "config.njk:1:"],
  [`{% if state %}\n{`, "config.njk:"],
  [Templates.small(`, "x": "`), "what came of it is not JSON"],
  [Templates.small(`, "x": {{ entries }}`), "config.njk:2:"],
  [Templates.small(`, "x": {{ entries[0].uuid | dump }}`), "there is no such value to dump"],
  ["", "what came of it is not JSON"],
  ["[]", "what came of it is no sing-box config"],
  [Templates.small().replace("{{ choice | dump }}", '"here"'), "no sing-box config: Expected an outbound with the tag"],
  [
    Templates.small().replaceAll("{{ choice | dump }}", "{{ choice }}"),
    'rendered for the sample "active, every protocol"'
  ]
]

describe("A template that does not serve", () => {
  for (const [source, words] of refused)
    it.live(`says so at start, in words: ${source.slice(0, 60).replaceAll("\n", " ")}`, () =>
      Effect.map(refusal(source), (detail) => assert.include(detail, words))
    )

  it.live("names the sample it breaks for", () =>
    Effect.gen(function* () {
      const noStub = Templates.small().replaceAll("{{ choice | dump }}", "{{ entries[0].tag | dump }}")
      const detail = yield* refusal(noStub)
      assert.include(detail, "config.njk:4:")
      assert.include(detail, '(rendered for the sample "over limit until a day")')
    })
  )

  it.live("says which file cannot be read, and which is too large", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(Effect.scoped(NunjucksTemplate.load("/nowhere/config.njk")))
      assert.match(missing.detail, /^\/nowhere\/config.njk: cannot be read: ENOENT/)
      assert.include(
        yield* refusal(`${Templates.small()}{# ${"x".repeat(1024 * 1024)} #}`),
        "larger than 1048576 bytes"
      )
    })
  )
})

const loops = (depth: number, list: string) =>
  `{% set list = [${list}] %}${"{% for x in list %}".repeat(depth)}{% set y = x %}${"{% endfor %}".repeat(depth)}`

const endless: ReadonlyArray<readonly [name: string, source: string, words: RegExp]> = [
  ["loops in loops in loops", loops(12, "1,2,3,4,5,6,7,8,9,10"), /rendering took more than 1000 ms$/m],
  [
    "a text doubled again and again",
    `{% set x = "xxxxxxxx" %}${"{% set x = x ~ x %}".repeat(60)}{{ x | upper | length }}`,
    /rendering took more than|Invalid string length|memory/
  ],
  [
    "a list of lists of lists",
    `{% set x = "1" %}${loops(7, "1,2,3,4,5,6,7,8,9,10").replace("{% set y = x %}", "{{ choice }}{{ choice }}")}`,
    /memory|took more than 1000 ms|more than 4194304 characters/
  ],
  [
    "output without measure",
    `{% set x = "x" %}${"{% set x = x ~ x %}".repeat(23)}{{ x }}`,
    /more than 4194304 characters/
  ]
]

describe("A template that does not end", () => {
  for (const [name, source, words] of endless)
    it.live(
      `is ended at start: ${name}`,
      () =>
        Effect.gen(function* () {
          const [took, detail] = yield* Effect.timed(refusal(`${source}${Templates.small()}`))
          assert.match(detail, words)
          assert.isBelow(Number(took) > 1e6 ? Number(took) / 1e6 : 0, 15_000)
          const path = yield* Templates.file(Templates.small())
          yield* ConfigTemplate.render(yield* NunjucksTemplate.load(path), model)
        }).pipe(Effect.scoped),
      30_000
    )

  it.live(
    "for one model alone is ended for that model, and serves the others",
    () =>
      Effect.gen(function* () {
        const source = `{% if title == "slow" %}${loops(12, "1,2,3,4,5,6,7,8,9,10")}{% endif %}
          {% if title == "large" %}{% set x = "xxxxxxxx" %}${"{% set x = x ~ x %}".repeat(27)}{{ x | upper }}{% endif %}
          {% if title == "sly" %}{{ title[["con", "structor"] | join] | dump }}{% endif %}${Templates.small()}`
        const template = yield* NunjucksTemplate.load(yield* Templates.file(source))
        const rendered = (title: string) => ConfigTemplate.render(template, { ...model, title })
        for (const [title, words] of [
          ["slow", /took more than 1000 ms/],
          ["large", /memory|took more than|characters|Invalid string length/],
          ["sly", /:3:.* the name "constructor"/]
        ] as const) {
          assert.match((yield* Effect.flip(rendered(title))).detail, words)
          assert.strictEqual((yield* rendered("quick")).route.final, model.choice)
        }
        const many = yield* Effect.forEach(
          Array.from({ length: 50 }, (_, n) => `person ${n}`),
          rendered,
          { concurrency: "unbounded" }
        )
        assert.strictEqual(many.length, 50)
      }).pipe(Effect.scoped),
    30_000
  )
})

describe("A template", () => {
  it.live("cannot be left by a value that is put between quotes by hand", () =>
    Effect.gen(function* () {
      const source = Templates.small().replaceAll("{{ choice | dump }}", `"{{ choice }}"`)
      const template = yield* NunjucksTemplate.load(yield* Templates.file(source))
      for (const [, sample] of ConfigSamples.samples) {
        const { outbounds } = yield* ConfigTemplate.render(template, sample)
        assert.deepStrictEqual(
          outbounds.map(({ tag }) => tag),
          [sample.choice]
        )
      }
    }).pipe(Effect.scoped)
  )

  it.live(
    "has what the guide says: filters, tests, variables, conditions, loops and what is looked up by a value",
    () =>
      Effect.gen(function* () {
        const source = Templates.small(`, "x": [
        {% set names = {NL: "Netherlands", "FI": "Finland"} %}
        {%- for entry in entries %}{{ names[entry.geo] | default("nowhere") | upper | dump }},{% endfor %}
        {{ "" }}{% for place, name in names %}{{ [place, name] | join("=") | dump }},{% endfor %}
        {{ (title ~ "!") | lower | trim | replace("'", "-") | tojson }},
        {{ ["a", "b"] | join("+") | dump }}, {{ [1, 2] | first }}, {{ [1, 2] | last }}, {{ entries | length }},
        {{ "none" if until is none else until | dump }}{{ ", 3" if 3 is odd and not (2 in [1]) }}
      ]`)
          .replace('"x": [', '"x": [')
          .replace(`"none" if`, `"0" if`)
        const template = yield* NunjucksTemplate.load(yield* Templates.file(source))
        const { log } = yield* ConfigTemplate.render(template, model)
        assert.deepStrictEqual((log as { readonly x: unknown }).x, [
          "NETHERLANDS",
          "NETHERLANDS",
          "NETHERLANDS",
          "NL=Netherlands",
          "FI=Finland",
          "ada-s phone!",
          "a+b",
          1,
          2,
          3,
          0,
          3
        ])
      }).pipe(Effect.scoped)
  )

  it.live("sees nothing of the process: no environment, no globals", () =>
    Effect.gen(function* () {
      for (const name of ["process", "globalThis", "require", "env", "runtime", "context", "frame", "cycler"])
        assert.include(yield* refusal(`{{ ${name} }}`), `there is no "${name}"`)
    })
  )

  it.live("that is the default renders what is rendered without one", () =>
    Effect.gen(function* () {
      const template = yield* NunjucksTemplate.load(NunjucksTemplate.defaultFile)
      for (const [name, sample] of ConfigSamples.samples)
        assert.deepStrictEqual(yield* ConfigTemplate.render(template, sample), SingBoxClient.render(sample), name)
      assert.include(Object.keys(ConfigModel.encode(model)), "expires_at")
    }).pipe(Effect.scoped)
  )
})
