/** How near two words are: the number of letters to change (Levenshtein), for "did you mean". */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swap))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** Finds the known word with the fewest letters to change; of two equally near ones the first in order. undefined where none is known. */
export const nearest = (word: string, known: readonly string[]): string | undefined =>
  [...known].sort((a, b) => distance(word, a) - distance(word, b) || (a < b ? -1 : 1))[0]
