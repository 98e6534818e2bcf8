/** The sing-box programs that tests run, and where they may run them. */
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

const cache = process.env.VPNMGR_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "vpnmgr")

/** Inside a network namespace of its own, where an origin has a public address that leads nowhere else. */
const inNamespace = process.env.VPNMGR_NETNS === "1"

export interface Binary {
  readonly version: string
  /** Undefined when the test cannot run here. */
  readonly path: string | undefined
  /** Says what is missing, for the name of a skipped test. */
  readonly title: string
}

const find = (version: string): Binary => {
  const path = process.env.VPNMGR_SING_BOX ?? join(cache, "sing-box", version, "sing-box")
  const missing = !existsSync(path)
    ? `run scripts/install-sing-box.sh ${version}`
    : inNamespace
      ? undefined
      : "network namespaces are not permitted: see scripts/in-netns.sh"
  if (missing !== undefined && process.env.CI) throw new Error(`sing-box ${version}: ${missing}`)
  return missing === undefined
    ? { version, path, title: `sing-box ${version}` }
    : { version, path: undefined, title: `sing-box ${version} (skipped: ${missing})` }
}

/** The oldest and the newest version that is supported. */
export const binaries: ReadonlyArray<Binary> =
  process.env.VPNMGR_SING_BOX === undefined ? ["1.12.12", "1.14.1"].map(find) : [find("given")]
