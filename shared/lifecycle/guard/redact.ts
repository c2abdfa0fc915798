import { everyForm, formLengthMin } from '../../core/forms.js'
import { SecretText } from '../../core/secret-text.js'

const mask = '[secret]'

/** Knows the live values of this invocation and takes them out of any text, in every form in which they could stand there. */
export interface Redactor {
  /** Every SecretText inside `value`, at any depth. */
  learn(value: unknown): void
  clean(text: string): string
}

export function createRedactor(): Redactor {
  const forms = new Set<string>()
  let sorted: readonly string[] | undefined
  const add = (text: string): void => {
    if (text.length < formLengthMin || forms.has(text)) return
    for (const form of everyForm(text)) forms.add(form)
    sorted = undefined
  }
  return {
    learn: (value) => visit(value, (secret) => add(secret.reveal()), 0),
    clean: (text) => {
      sorted ??= [...forms].sort((a, b) => b.length - a.length) // a longer form may contain a shorter one
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
