import { codeOf } from '../core/errors.js'
import type { Policy } from '../core/ports/words.js'
import type { SecretText } from '../core/secret-text.js'
import { jsonFields, looksLikeJson } from '../core/shapes/json.js'
import { loadRotator, type RotatorKind, rotatorKinds, rotators } from '../rotators/registry.js'

/**
 * Infers a policy from a value if its own policy names no rotator: by `engine`, as in the values of the AWS rotation templates, or by the scheme of a
 * URL. With `masterarn` it is a multi-user secret of the templates: two logins take turns, and that administrator sets them. Where the template made
 * the second login, what that login lacks is reported and does not stop what worked before; where there is none yet, the rotation makes it.
 */
export function inferPolicy(value: SecretText): Policy {
  const text = value.reveal().trim()
  const isJson = looksLikeJson(text)
  const fields = isJson ? fieldsOf(text) : undefined
  const field = (name: string): unknown => fields?.find((one) => one.name === name)?.value
  const kind = kindCalled(isJson ? field('engine') : schemeIn(text))
  if (kind === undefined) return {}
  const master = field('masterarn')
  if (typeof master !== 'string' || master === '') return { 'keyturn-rotator': kind }
  return { 'keyturn-rotator': kind, 'keyturn-strategy': 'alternate', 'keyturn-admin': `aws:${master}`, 'keyturn-differences': 'report' }
}

const schemeIn = (text: string): string | undefined => /^\s*(?:jdbc:)?([a-z]+):\/\//i.exec(text)?.[1]
const kindCalled = (engine: unknown): RotatorKind | undefined =>
  typeof engine === 'string' ? rotatorKinds.find((known) => rotators[known].engines.includes(engine.toLowerCase())) : undefined

/**
 * Refuses a value that clients of its kind read in different ways, before it is stored. The kind comes from the value itself: from inference, else
 * from the connection URLs in its fields. bad_value.
 */
export async function assertClearValue(value: SecretText): Promise<void> {
  const text = value.reveal()
  const fields = (looksLikeJson(text) ? fieldsOf(text) : undefined) ?? []
  const urls = fields.map((one) => (typeof one.value === 'string' ? kindCalled(schemeIn(one.value)) : undefined))
  const kind = inferPolicy(value)['keyturn-rotator'] ?? urls.find((known) => known !== undefined)
  if (kind !== undefined) (await loadRotator(kind)).assertClear?.(value)
}

/** undefined for a value that cannot be read. The code that needs it reads it again and reports what is wrong. */
function fieldsOf(text: string): ReturnType<typeof jsonFields> | undefined {
  try {
    return jsonFields(text)
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}
