/** undefined for a text that is no JSON. What a parser says of one may quote it, so nothing of that is kept. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined
    throw cause
  }
}
