/** The sing-box programs a run uses, from the cache that `scripts/install-sing-box.sh` fills. */
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

/** The oldest and the newest version that is supported. */
export const versions = ["1.12.12", "1.14.1"] as const

/** Where a version lies, whether it is there or not. */
export const path = (version: string): string => {
  const cache =
    process.env["VPNMGR_CACHE"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "vpnmgr")
  return join(cache, "sing-box", version, "sing-box")
}

/** What to install; `undefined` when the version is there. */
export const missing = (version: string): string | undefined =>
  existsSync(path(version)) ? undefined : `sing-box ${version} is not there: scripts/install-sing-box.sh ${version}`
