import { applyEdits, modify } from 'jsonc-parser'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape, type Shape, writeKey } from '../../core/shapes/index.js'
import { assertKey } from '../../core/shapes/structure.js'
import { withLogin } from '../../core/shapes/url.js'
import { fieldOf, overlaps } from './policy.js'

/** A bare text is the key itself. JSON has the previous key and a public name beside it, as `<field>_previous` and `<field>_id`. */
export interface RandomValue {
  /** undefined: the key is the whole text. */
  readonly field: string | undefined
  readonly key: SecretText
  /** With overlap: the key that verifiers still accept. */
  readonly previous?: SecretText
  /** With overlap: not secret and never derived from the key; tells one key from the next. */
  readonly id?: string
}

/** Names of fields that usually hold a key. Where the policy names no field, exactly one of them has to be there. */
const usual = ['key', 'api_key', 'apiKey', 'token', 'secret', 'password', 'cookie', 'value']

/** bad_value with the field; bad_policy if neither the policy nor the value shows which field is meant. */
export function parseRandomValue(value: SecretText, policy: Policy): RandomValue {
  const shape = readShape(value)
  if (shape.kind !== 'json') {
    const key = passwordIn(shape) ?? new SecretText(value.reveal().trim())
    assertKey(key.reveal(), undefined)
    if (fieldOf(policy) === undefined && !overlaps(policy)) return { field: undefined, key }
    const what = overlaps(policy) ? 'strategy overlap' : 'keyturn-field'
    throw missingError('value', `is not JSON, and ${what} needs a place beside the key`)
  }
  const field = fieldOf(policy) ?? onlyOf([...shape.fields.keys()])
  const key = shape.fields.get(field)
  if (typeof key !== 'string' || key === '') throw missingError(field, `has no text in its field ${field}`)
  assertKey(key, field)
  if (!overlaps(policy)) return { field, key: new SecretText(key) }
  const textOf = (name: string): string | undefined => {
    const text = shape.fields.get(name)
    return typeof text === 'string' && text !== '' ? text : undefined
  }
  const previous = textOf(`${field}_previous`)
  return {
    field,
    key: new SecretText(key),
    ...optional('previous', previous === undefined ? undefined : new SecretText(previous)),
    ...optional('id', textOf(`${field}_id`)),
  }
}

/** The key in a connection URL is its password. */
const passwordIn = (shape: Shape): SecretText | undefined =>
  shape.kind === 'url' && shape.url.password ? new SecretText(shape.url.password) : undefined

function onlyOf(names: readonly string[]): string {
  const [first, second] = usual.filter((name) => names.includes(name))
  if (first !== undefined && second === undefined) return first
  const none = 'no field has a name that keys usually have'
  const why = first === undefined ? none : `both ${first} and ${second} may be the key`
  throw new RotationError('bad_policy', `The policy does not name the field of the key, and ${why}.`, {
    field: 'keyturn-field',
    next: 'Name it with keyturn policy <ref> field=…, or name each of several in keyturn-parts.',
  })
}

const missingError = (field: string, why: string): RotationError =>
  new RotationError('bad_value', `The value ${why}.`, {
    field,
    next: 'Put the value again as JSON with the key in that field.',
  })

/** Writes a key where the text is one key, between the white space that is there. bad_value for any other text: it would be lost. */
function keyAlone(text: string, key: SecretText): SecretText {
  const inner = text.trim()
  assertKey(inner, undefined)
  return new SecretText(text.replace(inner, () => key.reveal()))
}

const isOwn = (field: string) => (name: string) => [field, `${field}_previous`, `${field}_id`].includes(name)

/** Whether the value has both fields of an overlap, with a name that we made: fields of others that only have the same names are not touched. */
const hadOverlap = (fields: ReadonlyMap<string, unknown>, field: string): boolean =>
  typeof fields.get(`${field}_previous`) === 'string' && /^([0-9a-f]{12}|first)$/.test(String(fields.get(`${field}_id`)))

/** Writes the key into a value. Every other byte stays, except in connection URLs that held the key. A new field comes at the end. */
export function renderRandomValue(shape: SecretText, { field, key, previous, id }: RandomValue): SecretText {
  const text = shape.reveal()
  const there = text === '' ? undefined : readShape(shape)
  if (there?.kind === 'url' && there.url.password) {
    const { url } = there
    return new SecretText(withLogin(url, url.user ?? '', key.reveal()))
  }
  if (there === undefined) return key
  if (there.kind !== 'json') return keyAlone(text, key)
  if (field === undefined) return key
  const old = there.fields.get(field)
  const wanted: (readonly [string, string | undefined])[] = [[field, key.reveal()]]
  // Without a previous key (it leaked, or the overlap is over) its field is removed: whoever finds it there accepts it.
  if (id !== undefined || hadOverlap(there.fields, field)) wanted.push([`${field}_previous`, previous?.reveal()], [`${field}_id`, id])
  let out = typeof old === 'string' && old !== '' ? writeKey(text, isOwn(field), old, key.reveal()) : text
  for (const [name, one] of wanted) out = applyEdits(out, modify(out, [name], one, {}))
  return new SecretText(out)
}
