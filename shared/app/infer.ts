import { codeOf } from '../core/errors.js'
import type { Policy } from '../core/ports/words.js'
import type { SecretText } from '../core/secret-text.js'
import { jsonFields, looksLikeJson } from '../core/shapes/json.js'
import { rotatorKinds, rotators } from '../rotators/registry.js'

/**
 * What a value says of itself where its policy names no rotator: `engine`, as the values of the AWS rotation templates have it, or the scheme of a
 * URL. With `masterarn` it is one of the templates' multi-user secrets: two logins in turn, set by that administrator; and since the second login was
 * made by the template, what it lacks is reported and stops nothing that worked before.
 */
export function inferPolicy(value: SecretText): Policy {
  const text = value.reveal().trim()
  const scheme = /^(?:jdbc:)?([a-z]+):\/\//i.exec(text)?.[1]
  const fields = looksLikeJson(text) ? fieldsOf(text) : undefined
  const field = (name: string): unknown => fields?.find((one) => one.name === name)?.value
  const engine = fields || looksLikeJson(text) ? field('engine') : scheme
  const named = typeof engine === 'string' ? engine.toLowerCase() : ''
  const kind = rotatorKinds.find((known) => rotators[known].engines.includes(named))
  if (kind === undefined) return {}
  const master = field('masterarn')
  if (typeof master !== 'string' || master === '') return { 'keyturn-rotator': kind }
  return { 'keyturn-rotator': kind, 'keyturn-strategy': 'alternate', 'keyturn-admin': `aws:${master}`, 'keyturn-differences': 'report' }
}

/** What cannot be read says nothing of itself; whoever needs it reads it again and says what is wrong. */
function fieldsOf(text: string): ReturnType<typeof jsonFields> | undefined {
  try {
    return jsonFields(text)
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}
