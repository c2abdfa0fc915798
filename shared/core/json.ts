/** undefined for a text that is not JSON. The parser's message may quote the text, so it is dropped. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined
    throw cause
  }
}

/** The members of an object that somebody else made; none of anything else. */
export const membersOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {}
/** Empty for what is not a list. */
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
/** Empty for what is not a text. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
