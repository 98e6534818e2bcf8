/**
 * A small disk of the run's own: a tmpfs in the run's mount namespace, which a file fills to the brim and gives free
 * again. Nothing of the machine's own disks is touched.
 */
import { execFile } from "node:child_process"
import { type FileHandle, mkdir, open, rm, statfs } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)

export interface Disk {
  readonly directory: string
  /** Takes what room is left, again and again until `free`; what others give back meanwhile is taken too. */
  readonly fill: () => Promise<void>
  /** Gives the room back. */
  readonly free: () => Promise<void>
  /** Bytes that can still be written. */
  readonly room: () => Promise<number>
  readonly unmount: () => Promise<void>
}

export interface Options {
  readonly directory: string
  readonly megabytes: number
  /** Whom it belongs to; by default who runs. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
}

const block = Buffer.alloc(65_536, "f")
const again = 100

const isFull = (cause: unknown) => (cause as NodeJS.ErrnoException).code === "ENOSPC"

/** Writes so many bytes; false when there is no room for all of them. */
const takes = async (file: FileHandle, size: number): Promise<boolean> => {
  try {
    return (await file.write(block, 0, size)).bytesWritten === size
  } catch (cause) {
    if (isFull(cause)) return false
    throw cause
  }
}

/** Mounts one. Its directory is made. */
export const mount = async ({ directory, megabytes, owner }: Options): Promise<Disk> => {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const whose = owner === undefined ? "" : `,uid=${owner.uid},gid=${owner.gid}`
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0700${whose}`, "vpnmgr-soak", directory])
  const ballast = join(directory, "ballast")
  let over: AbortController | undefined
  let filling = Promise.resolve()

  const top = async (): Promise<void> => {
    const file = await open(ballast, "a")
    try {
      for (let size = block.length; size >= 1; size >>= 1) while (await takes(file, size));
    } finally {
      await file.close()
    }
  }

  const keepFull = async (signal: AbortSignal) => {
    for (; !signal.aborted; await new Promise((resolve) => setTimeout(resolve, again))) await top()
  }

  return {
    directory,
    fill: async () => {
      await top()
      over = new AbortController()
      filling = keepFull(over.signal)
    },
    free: async () => {
      over?.abort()
      await filling
      await rm(ballast, { force: true })
    },
    room: async () => {
      const { bavail, bsize } = await statfs(directory)
      return bavail * bsize
    },
    unmount: async () => {
      over?.abort()
      await filling
      await run("umount", ["-l", directory])
    }
  }
}
