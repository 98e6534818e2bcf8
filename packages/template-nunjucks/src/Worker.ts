/** The thread that renders: it can be ended whatever it does, and holds no more memory than it was given. */
import { parentPort, workerData } from "node:worker_threads"
import { compile } from "./internal/Engine.ts"
import type { Answer, Source } from "./internal/Messages.ts"

const { name, names, text } = workerData as Source
const say = (answer: Answer) => parentPort?.postMessage(answer)

const engine = compile(name, text, names)
if ("failure" in engine) say(engine)
else {
  parentPort?.on("message", (model: object) => say(engine.render(model)))
  say({ text: "" })
}
