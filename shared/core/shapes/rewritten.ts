import { isDeepStrictEqual } from 'node:util'
import type { SecretText } from '../secret-text.js'
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

/** Of rewritten fields those that held one text, whatever system each is for. The name of a user is no such text. */
export function sharedFields(before: SecretText, rewritten: readonly string[]): readonly string[] {
  const fields = fieldsOf(before)
  const texts = rewritten.filter(
    (name) => typeof fields.get(name) === 'string' && fields.get(name) !== '' && !/(user|username|login)$/i.test(name),
  )
  return texts.filter((name) => texts.some((other) => other !== name && fields.get(other) === fields.get(name)))
}
