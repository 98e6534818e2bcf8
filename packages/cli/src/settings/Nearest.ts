/** The nearest name to a mistyped one, for "did you mean". */

/** Counts the letters to insert, drop or replace to turn one word into the other (Levenshtein). */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++)
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === b[j] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

/** Finds the name closest to `word`; `undefined` when none is near enough to be what was meant. */
export const nearest = (word: string, names: ReadonlyArray<string>): string | undefined => {
  const [best] = names.map((name) => ({ name, far: distance(word, name) })).toSorted((a, b) => a.far - b.far)
  return best !== undefined && best.far <= Math.max(2, Math.floor(word.length / 3)) ? best.name : undefined
}
