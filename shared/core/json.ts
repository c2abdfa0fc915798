/** undefined for a text that is not JSON. The parser's message may quote the text, so it is dropped. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined
    throw cause
  }
}
