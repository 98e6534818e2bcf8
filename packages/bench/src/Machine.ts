/** What figures were measured on: printed above them and written beside them, for they hold for nothing else. */
import { cpus, totalmem } from "node:os"
import * as Sql from "./Sql.ts"

export interface Machine {
  readonly cores: number
  readonly model: string
  /** GB (10⁹ bytes). */
  readonly memory: number
  readonly node: string
  readonly postgres: string
  readonly sharedBuffers: string
}

/** Reads it of this process and of the PostgreSQL at `url`. */
export const read = async (url: string): Promise<Machine> => {
  const [postgres, sharedBuffers] = await Sql.make(url).run("SHOW server_version", "SHOW shared_buffers")
  return {
    cores: cpus().length,
    model: cpus()[0]?.model ?? "unknown",
    memory: Math.round(totalmem() / 1e9),
    node: process.version,
    postgres: postgres!,
    sharedBuffers: sharedBuffers!
  }
}

/** Writes it as one line. */
export const line = ({ cores, memory, model, node, postgres, sharedBuffers }: Machine): string =>
  `${cores} cores, ${model}, ${memory} GB; PostgreSQL ${postgres}, shared_buffers ${sharedBuffers}; Node ${node}`
