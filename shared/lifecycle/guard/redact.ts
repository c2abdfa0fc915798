import { everyForm, formLengthMin } from '../../core/forms.js'
import { SecretText } from '../../core/secret-text.js'

const mask = '[secret]'

/** Knows the live values of this invocation and takes them out of any text, in every form in which they could stand there. */
export interface Redactor {
  /** Every SecretText inside `value`, at any depth. */
  learn(value: unknown): void
  clean(text: string): string
}

/** Makes a redactor that knows no value yet. Texts of fewer than four characters are never taken out. */
export function createRedactor(): Redactor {
  const texts = new Set<string>()
  let sorted: readonly string[] | undefined
  const add = (text: string): void => {
    if (text.length < formLengthMin || texts.has(text)) return
    texts.add(text)
    sorted = undefined
  }
  return {
    learn: (value) => visit(value, (secret) => add(secret.reveal()), 0),
    clean: (text) => {
      // Only where there is something to clean: most invocations end without an error. A longer form may contain a shorter one.
      sorted ??= [...new Set([...texts].flatMap((one) => [...everyForm(one)]))].sort((a, b) => b.length - a.length)
      return sorted.reduce((clean, form) => clean.replaceAll(form, mask), text)
    },
  }
}

const depthMax = 6
function visit(value: unknown, found: (secret: SecretText) => void, depth: number): void {
  if (value instanceof SecretText) found(value)
  else if (typeof value === 'object' && value !== null && depth <= depthMax) {
    for (const inner of value instanceof Map || value instanceof Set ? [...value].flat() : Object.values(value))
      visit(inner, found, depth + 1)
  }
}
