/** One word for a shell: in single quotes where it has anything that a shell could read. */
export const quoted = (text: string): string => (/^[\w./:@=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

/** A command on several lines, with a word on each. The words are those of a shell already. */
export const commandOf = (start: string, words: readonly string[]): readonly string[] =>
  [start, ...words.map((word) => `  ${word}`)].map((line, index) => (index === words.length ? line : `${line} \\`))
