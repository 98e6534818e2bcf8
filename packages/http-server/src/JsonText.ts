/**
 * What a JSON text must keep to beyond its grammar (RFC 7493): no name twice in one object, for two readers would take
 * different ones; and no deeper than any request needs.
 */

/** Objects and arrays within one another at most. */
export const deepest = 16

interface Frame {
  /** The names so far; null in an array. */
  readonly names: Set<string> | null
  name: string
  isName: boolean
}

/** What is wrong, and with which field. */
export interface Objection {
  readonly field: string
  readonly detail: string
}

const quote = 34
const backslash = 92

/** Where a string ends that begins at a quote: the index of the other one. */
const endOf = (text: string, from: number): number => {
  let at = from + 1
  for (let code = text.charCodeAt(at); at < text.length && code !== quote; code = text.charCodeAt(at))
    at += code === backslash ? 2 : 1
  return at
}

const unescaped = (raw: string): string => {
  if (!raw.includes("\\")) return raw
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    return raw
  }
}

const path = (frames: ReadonlyArray<Frame>) =>
  frames.flatMap(({ names, name }) => (names === null ? [] : [name])).join(".")

/** Looks through a text once. What is no JSON at all is left to the parser. */
export const objection = (text: string): Objection | null => {
  const frames: Array<Frame> = []
  for (let at = 0; at < text.length; at++) {
    const frame = frames.at(-1)
    const char = text[at]
    if (char === '"') {
      const end = endOf(text, at)
      if (frame?.names && frame.isName) {
        frame.name = unescaped(text.slice(at + 1, end))
        if (frame.names.has(frame.name)) return { field: path(frames), detail: "is named twice" }
        frame.names.add(frame.name)
        frame.isName = false
      }
      at = end
    } else if (char === "{" || char === "[") {
      if (frames.length === deepest) return { field: path(frames), detail: `lies deeper than ${deepest} levels` }
      frames.push({ names: char === "{" ? new Set() : null, name: "", isName: true })
    } else if (char === "}" || char === "]") frames.pop()
    else if (char === "," && frame !== undefined) frame.isName = true
  }
  return null
}
