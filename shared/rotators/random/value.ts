import { applyEdits, modify } from 'jsonc-parser'
import { RotationError } from '../../core/errors.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape, type Shape, writeKey } from '../../core/shapes/index.js'
import { withLogin } from '../../core/shapes/url.js'
import { fieldOf, overlaps } from './policy.js'

/** A bare text is the key itself. In JSON the one before and a public name stand beside it, as `<field>_previous` and `<field>_id`. */
export interface RandomValue {
  /** undefined: the whole text. */
  readonly field: string | undefined
  readonly key: SecretText
  /** With overlap: what verifiers still accept. */
  readonly previous?: SecretText
  /** With overlap: not secret and never derived from the key; tells one key from the next. */
  readonly id?: string
}

/** Names that are taken for the key where the policy names none; one of them only may be there. */
const usual = ['key', 'api_key', 'apiKey', 'token', 'secret', 'password', 'cookie', 'value']

/** bad_value with the field; bad_policy where it is not said which field is meant. */
export function parseRandomValue(value: SecretText, policy: Policy): RandomValue {
  const shape = readShape(value)
  if (shape.kind !== 'json') {
    if (fieldOf(policy) === undefined && !overlaps(policy)) return { field: undefined, key: passwordIn(shape) ?? value }
    const what = overlaps(policy) ? 'strategy overlap' : 'keyturn-field'
    throw missingError('value', `is no JSON, and ${what} needs a place beside the key`)
  }
  const field = fieldOf(policy) ?? onlyOf([...shape.fields.keys()])
  const key = shape.fields.get(field)
  if (typeof key !== 'string' || key === '') throw missingError(field, `has no text in its field ${field}`)
  if (!overlaps(policy)) return { field, key: new SecretText(key) }
  const previous = shape.fields.get(`${field}_previous`)
  const id = shape.fields.get(`${field}_id`)
  return {
    field,
    key: new SecretText(key),
    ...(typeof previous === 'string' && previous !== '' ? { previous: new SecretText(previous) } : {}),
    ...(typeof id === 'string' && id !== '' ? { id } : {}),
  }
}

/** Of a connection URL the password is the key. */
const passwordIn = (shape: Shape): SecretText | undefined =>
  shape.kind === 'url' && shape.url.password ? new SecretText(shape.url.password) : undefined

function onlyOf(names: readonly string[]): string {
  const [first, second] = usual.filter((name) => names.includes(name))
  if (first !== undefined && second === undefined) return first
  const why = first === undefined ? 'none of its fields is called as a key usually is' : `both ${first} and ${second} may be the key`
  throw new RotationError('bad_policy', `It is not said which field is the key: ${why}.`, {
    field: 'keyturn-field',
    next: 'Name it with keyturn policy <ref> field=….',
  })
}

const missingError = (field: string, why: string): RotationError =>
  new RotationError('bad_value', `The value ${why}.`, { field, next: 'Put the value again as JSON with the key in that field.' })

const isOwn = (field: string) => (name: string) => [field, `${field}_previous`, `${field}_id`].includes(name)

/** Both stand there, and the name is one of ours: fields of somebody else that are only called so are not touched. */
const hadOverlap = (fields: ReadonlyMap<string, unknown>, field: string): boolean =>
  typeof fields.get(`${field}_previous`) === 'string' && /^([0-9a-f]{12}|first)$/.test(String(fields.get(`${field}_id`)))

/** Every other byte stays as it is, but for connection URLs that held the key. A field that was not there comes at the end. */
export function renderRandomValue(shape: SecretText, { field, key, previous, id }: RandomValue): SecretText {
  const text = shape.reveal()
  const there = text === '' ? undefined : readShape(shape)
  if (there?.kind === 'url' && there.url.password) return new SecretText(withLogin(there.url, there.url.user ?? '', key.reveal()))
  if (field === undefined || there?.kind !== 'json') return key
  const old = there.fields.get(field)
  const derived = typeof old === 'string' && old !== '' ? writeKey(text, isOwn(field), old, key.reveal()) : text
  const wanted: readonly (readonly [string, string | undefined])[] = [
    [field, key.reveal()],
    // With nothing before it (it leaked, or there is no overlap any more) its place is taken away: whoever finds it there accepts it.
    ...(id === undefined && !hadOverlap(there.fields, field)
      ? []
      : [[`${field}_previous`, previous?.reveal()] as const, [`${field}_id`, id] as const]),
  ]
  return new SecretText(wanted.reduce((out, [name, one]) => applyEdits(out, modify(out, [name], one, {})), derived))
}
