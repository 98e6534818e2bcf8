/** Doing many things, a few at a time. */

/** Runs `each` for every item, at most `width` at once; answers in the items' order. */
export const together = async <A, B>(
  items: ReadonlyArray<A>,
  width: number,
  each: (item: A, index: number) => Promise<B>
): Promise<ReadonlyArray<B>> => {
  const answers: Array<B> = []
  let next = 0
  const work = async () => {
    for (let index = next++; index < items.length; index = next++) answers[index] = await each(items[index]!, index)
  }
  await Promise.all(Array.from({ length: width }, work))
  return answers
}
