/** Starts the yardstick of HTTP (`yardstick.ts`) as a process of its own. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("./yardstick.ts", import.meta.url))

export interface Raw {
  readonly url: string
  readonly pid: number
  /** Bytes of its answer. */
  readonly length: number
  readonly close: () => void
}

/** Starts it; it answers this JSON, serialized anew each time. */
export const start = async (body: string): Promise<Raw> => {
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] })
  child.stdin.end(body)
  const [port] = (await once(child.stdout, "data")) as [Buffer]
  return {
    url: `http://127.0.0.1:${String(port).trim()}`,
    pid: child.pid!,
    length: body.length,
    close: () => void child.kill()
  }
}
