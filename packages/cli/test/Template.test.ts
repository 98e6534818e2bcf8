/** Templates by the command line: checked, tried on a real subscription, and served by. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { copyFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { NunjucksTemplate } from "@vpnmgr/template-nunjucks"
import { ready, start, vpnmgr, workplace } from "./Vpnmgr.ts"

const { directory, remove } = workplace()
afterAll(remove)

const mine = `{
  "inbounds": [],
  "outbounds": [{ "type": "block", "tag": {{ choice | dump }}, "note": {{ state | dump }} }],
  "route": { "final": {{ choice | dump }} }
}`

copyFileSync(NunjucksTemplate.defaultFile, join(directory, "default.njk"))
writeFileSync(join(directory, "mine.njk"), mine)
writeFileSync(join(directory, "broken.njk"), mine.replace("choice | dump", "choice.constructor | dump"))

const serve = (file: string) => ["serve", "--listen", "127.0.0.1:0", "--config-template", file]

describe("a template", () => {
  it("is checked without a server, and refused with its line", async () => {
    const [good, bad] = await Promise.all(
      ["default.njk", "broken.njk"].map((file) => vpnmgr(directory, ["config", "check-template", file]))
    )
    assert.deepStrictEqual(
      [good!.code, good!.stdout],
      [0, "default.njk renders a config for every state and protocol.\n"]
    )
    assert.strictEqual(bad!.code, 1)
    assert.match(bad!.stderr, /^vpnmgr: broken\.njk:3:\d+: the name "constructor" is not allowed/)
  })

  it("stops the start of a server when it is broken, in words, and the check of its settings", async () => {
    const checked = await Promise.all(
      ["mine.njk", "broken.njk"].map((file) => vpnmgr(directory, ["config", "check", "--config-template", file]))
    )
    assert.deepStrictEqual(
      checked.map(({ code }) => code),
      [0, 1]
    )
    const { code, stderr } = await vpnmgr(directory, serve("broken.njk"))
    assert.strictEqual(code, 1)
    assert.match(stderr, /config_template: broken\.njk:3:\d+: the name "constructor" is not allowed/)
  })

  it("is what a server serves by, and another is tried on a real subscription", async () => {
    const server = await start(directory, serve("mine.njk"), ready)
    const [, url] = ready.exec(server.output())!
    const made = await vpnmgr(directory, ["subscription", "create", "--title", 'Ann "A"', "--json"])
    const { config_path, id } = JSON.parse(made.stdout) as { readonly config_path: string; readonly id: string }
    const served = await (await fetch(`${url}${config_path}`)).json()
    assert.deepStrictEqual(served, {
      inbounds: [],
      outbounds: [{ type: "block", tag: 'Ann "A"', note: "no_servers" }],
      route: { final: 'Ann "A"' }
    })
    const printed = await vpnmgr(directory, ["config", "render", id])
    assert.deepStrictEqual(JSON.parse(printed.stdout), served)
    const other = await vpnmgr(directory, ["config", "render", id, "--template", "default.njk"])
    assert.include(other.stdout, "no server yet")
    const broken = await vpnmgr(directory, ["config", "render", id, "--template", "broken.njk"])
    assert.strictEqual(broken.code, 1)
    assert.match(broken.stderr, /broken\.njk:3:/)
    await vpnmgr(directory, ["subscription", "suspend", id])
    const suspended = await vpnmgr(directory, ["config", "render", id])
    assert.deepStrictEqual([suspended.code, suspended.stdout], [1, ""])
    assert.include(suspended.stderr, "suspended")
    assert.strictEqual(await server.end("SIGTERM"), 0)
  })
})
