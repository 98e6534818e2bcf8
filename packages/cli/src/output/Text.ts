/**
 * Text that somebody else wrote, made safe to show: whatever a title holds, it cannot move the cursor, colour the
 * screen, set the window's name or reorder a line.
 */

const breaks = /[\t\n\v\f\r\u0085\u2028\u2029]/g

/** Controls (ESC and the 8-bit ones among them), half surrogates, and what changes the direction of writing. */
const unprintable =
  /[\p{Cc}\p{Cs}\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E0FFF}]/gu

/** More marks than writing needs would pile up over the lines around. */
const piles = /(\p{M}{4})\p{M}+/gu

/** Makes one printable line of it: breaks become spaces, what cannot be printed `�`. */
export const printable = (text: string): string =>
  text.replaceAll(breaks, " ").replaceAll(unprintable, "\uFFFD").replaceAll(piles, "$1")

/** Escapes in JSON what JSON allows but a terminal may act on: the same document, other bytes. */
export const printableJson = (json: string): string =>
  json.replaceAll(
    /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    (found) => String.raw`\u` + found.charCodeAt(0).toString(16).padStart(4, "0")
  )

const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Yi}\p{Script=Tangut}\p{Emoji_Presentation}\u1100-\u115F\u3000-\u303E\u3200-\u33FF\uAC00-\uD7A3\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6]/u
const narrow = /^[\uFF61-\uFFDC]/u
const asEmoji = /\p{Extended_Pictographic}\uFE0F|\p{Regional_Indicator}{2}/u
const none = /^[\p{M}\u200C\u200D]+$/u

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" })

const widthOf = (grapheme: string): number => {
  if (none.test(grapheme)) return 0
  return asEmoji.test(grapheme) || (wide.test(grapheme) && !narrow.test(grapheme)) ? 2 : 1
}

const ascii = /^[ -~]*$/

/** Counts the columns a terminal gives to printable text: two for most of East Asia's and for emoji. */
export const width = (text: string): number => {
  if (ascii.test(text)) return text.length
  let columns = 0
  for (const { segment } of graphemes.segment(text)) columns += widthOf(segment)
  return columns
}

/** Fills up with spaces to so many columns. */
export const pad = (text: string, columns: number): string => text + " ".repeat(Math.max(0, columns - width(text)))

/** Cuts what is wider than so many columns, and says so with `…`. */
export const clip = (text: string, columns: number): string => {
  if (width(text) <= columns) return text
  let kept = ""
  let left = columns - 1
  for (const { segment } of graphemes.segment(text)) {
    left -= widthOf(segment)
    if (left < 0) break
    kept += segment
  }
  return `${kept}…`
}
