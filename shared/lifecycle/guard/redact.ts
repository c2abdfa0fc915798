import { everyForm, formLengthMin } from '../../core/forms.js'
import { SecretText } from '../../core/secret-text.js'

const mask = '[secret]'

/** Knows the live values of this invocation and removes them from any text, in every form that they could have there. */
export interface Redactor {
  /** Remembers every SecretText inside `value`, at any depth. */
  learn(value: unknown): void
  clean(text: string): string
}

/** Makes a redactor that knows no value yet. Texts of fewer than four characters are never removed. */
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
      // The forms are made when there is something to clean: most invocations end without an error. A longer form may contain a shorter one.
      sorted ??= formsOf(texts)
      return sorted.reduce((clean, form) => clean.replaceAll(form, mask), text)
    },
  }
}

function formsOf(texts: ReadonlySet<string>): readonly string[] {
  const forms = [...texts].flatMap((one) => [...everyForm(one)])
  return [...new Set(forms)].sort((a, b) => b.length - a.length)
}

const depthMax = 6
function visit(value: unknown, found: (secret: SecretText) => void, depth: number): void {
  if (value instanceof SecretText) found(value)
  else if (typeof value === 'object' && value !== null && depth <= depthMax) {
    const isCollection = value instanceof Map || value instanceof Set
    const inside = isCollection ? [...value].flat() : Object.values(value)
    for (const inner of inside) visit(inner, found, depth + 1)
  }
}
