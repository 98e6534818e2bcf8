/** The names that lead from data to code: nobody's template needs them. */
const forbidden = new Set([
  "constructor",
  "__proto__",
  "prototype",
  "__defineGetter__",
  "__defineSetter__",
  "__lookupGetter__",
  "__lookupSetter__"
])

/** True for a name that leads from data to code. */
export const isForbidden = (name: unknown): boolean => forbidden.has(String(name))

/** Why it is refused. */
export const refusal = (name: unknown): string => `the name ${JSON.stringify(name)} is not allowed: it leads to code`
