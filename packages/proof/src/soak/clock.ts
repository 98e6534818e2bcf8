/**
 * Loaded into a program before its own code (`node --import`): its clock is the machine's, moved by the milliseconds that
 * the file `SOAK_CLOCK` says. What measures spans of time is not moved, as when a clock is set on a machine.
 */
import { readFileSync } from "node:fs"

const file = process.env["SOAK_CLOCK"]
const machine = Date.now.bind(Date)
let moved = 0

const look = (from: string) => {
  const told = Number(readFileSync(from, "utf8"))
  if (Number.isFinite(told)) moved = told
}

if (file !== undefined) {
  Date.now = () => machine() + moved
  globalThis.Date = new Proxy(Date, {
    construct: (target, given: ReadonlyArray<unknown>, self) =>
      Reflect.construct(target, given.length === 0 ? [Date.now()] : given, self) as Date,
    apply: (target) => new target(Date.now()).toString()
  })
  look(file)
  setInterval(() => look(file), 50).unref()
}
