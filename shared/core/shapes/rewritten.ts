import { isDeepStrictEqual } from 'node:util'
import { everyForm } from '../forms.js'
import type { SecretText } from '../secret-text.js'
import { textsIn, userName } from './index.js'
import { jsonFields, looksLikeJson } from './json.js'

const fieldsOf = (value: SecretText): ReadonlyMap<string, unknown> =>
  looksLikeJson(value.reveal()) ? new Map(jsonFields(value.reveal()).map(({ name, value: one }) => [name, one])) : new Map()

/** The names of the fields in which two values differ; `value` where the text has no fields. bad_value for malformed JSON. */
export function rewrittenFields(before: SecretText, after: SecretText): readonly string[] {
  if (before.equals(after)) return []
  const [from, to] = [fieldsOf(before), fieldsOf(after)]
  const names = [...new Set([...from.keys(), ...to.keys()])]
  const changed = names.filter((name) => from.has(name) !== to.has(name) || !isDeepStrictEqual(from.get(name), to.get(name)))
  return changed.length === 0 ? ['value'] : changed
}

/** The old texts of rewritten fields, by name. The name of a user is not secret, and may be anywhere. */
function oldTexts(fields: ReadonlyMap<string, unknown>, rewritten: readonly string[]): ReadonlyMap<string, string> {
  const texts = rewritten.flatMap((name) => {
    const text = fields.get(name)
    return typeof text === 'string' && text !== '' && !userName.test(name) ? [[name, text] as const] : []
  })
  return new Map(texts)
}

/** Of rewritten fields those that held one text, whatever system each is for. */
export function sharedFields(before: SecretText, rewritten: readonly string[]): readonly string[] {
  const texts = [...oldTexts(fieldsOf(before), rewritten)]
  return texts.filter(([name, text]) => texts.some(([other, same]) => other !== name && same === text)).map(([name]) => name)
}

/** Shorter texts are part of many names. */
const tellingMin = 6

/** Fields that are not rewritten although they hold the old text of one that is, perhaps in another spelling or by chance. */
export function staleFields(before: SecretText, rewritten: readonly string[]): readonly string[] {
  const fields = fieldsOf(before)
  const old = [...oldTexts(fields, rewritten).values()].filter((text) => text.length >= tellingMin)
  const forms = old.flatMap((text) => everyForm(text))
  const isStale = (value: unknown): boolean => textsIn(value).some((text) => forms.some((form) => text.includes(form)))
  return [...fields].filter(([name, value]) => !rewritten.includes(name) && isStale(value)).map(([name]) => name)
}
