import { applyEdits, modify } from 'jsonc-parser'
import * as v from 'valibot'
import { RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape, writeKey } from '../../core/shapes/index.js'
import { assertKey } from '../../core/shapes/structure.js'

export const fieldKey: PolicyKey = {
  name: 'field',
  namesField: true,
  default: 'key',
  help: 'the field of the JSON value that is the key which encrypts',
  check: (value) => (fieldName.test(value) ? undefined : 'must be the name of a field'),
}
const fieldName = /^[A-Za-z0-9_.-]{1,64}$/

/** One key of the ring, with the id that encrypted data carries. */
export interface RingKey {
  /** Not secret and never derived from the key. */
  readonly id: string
  readonly key: SecretText
}
/** All keys of a value, the newest first. The first one encrypts. Each one decrypts the data that carries its id. */
export interface KeyringValue {
  readonly field: string
  readonly keys: readonly [RingKey, ...RingKey[]]
}

/** The id of a key that had no name when it was adopted. */
export const firstId = 'first'
const older = v.object({
  id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]{1,64}$/)),
  key: v.pipe(v.string(), v.nonEmpty()),
})
const form = v.array(older)
type OpenKey = v.InferOutput<typeof older>

/** `<field>`: the encryption key · `<field>_id`: its name · `<field>_previous`: the others, as id and key. bad_value with the field. */
export function parseKeyring(value: SecretText, policy: Policy): KeyringValue {
  const shape = readShape(value)
  const field = policyText(policy, fieldKey) ?? 'key'
  if (shape.kind !== 'json') {
    assertKey(value.reveal(), undefined)
    throw valueError('value', 'is not JSON, and older keys need a place beside the one that encrypts')
  }
  const first = primaryIn(shape.fields, field)
  const olderField = `${field}_previous`
  const parsed = v.safeParse(form, shape.fields.get(olderField) ?? [])
  if (!parsed.success) throw valueError(olderField, `does not have a list of {"id", "key"} in its field ${olderField}`)
  assertDistinct([first, ...parsed.output], olderField)
  return { field, keys: [ringKey(first), ...parsed.output.map(ringKey)] }
}

function primaryIn(fields: ReadonlyMap<string, unknown>, field: string): OpenKey {
  const idField = `${field}_id`
  const key = fields.get(field)
  const id = fields.get(idField)
  if (typeof key !== 'string' || key === '') throw valueError(field, `has no text in its field ${field}`)
  assertKey(key, field)
  if (id === undefined) return { id: firstId, key }
  if (typeof id !== 'string' || id === '') throw valueError(idField, `has no name in its field ${idField}`)
  return { id, key }
}

function assertDistinct(keys: readonly OpenKey[], field: string): void {
  const ids = new Set(keys.map(({ id }) => id))
  if (ids.size < keys.length) throw valueError(field, 'gives one id to two keys')
  const texts = new Set(keys.map(({ key }) => key))
  if (texts.size < keys.length) throw valueError(field, 'has one key under two ids')
}

const ringKey = ({ id, key }: OpenKey): RingKey => ({ id, key: new SecretText(key) })

const valueError = (field: string, why: string): RotationError =>
  new RotationError('bad_value', `The value ${why}.`, {
    field,
    next: 'Put it again as JSON, and name the field that is the key with keyturn-field; docs/keyring.md has the fields.',
  })

/** Writes the keys into a value. Every other byte stays, except in fields that held the key which encrypted until now. */
export function renderKeyring(shape: SecretText, { field, keys: [primary, ...others] }: KeyringValue): SecretText {
  const openKey = ({ id, key }: RingKey): OpenKey => ({ id, key: key.reveal() })
  const wanted: readonly (readonly [string, unknown])[] = [
    [field, primary.key.reveal()],
    [`${field}_id`, primary.id],
    [`${field}_previous`, others.map(openKey)],
  ]
  const own = wanted.map(([name]) => name)
  const read = readShape(shape)
  const old = read.kind === 'json' ? read.fields.get(field) : undefined
  const before = shape.reveal()
  let text = typeof old === 'string' && old !== '' ? writeKey(before, (name) => own.includes(name), old, primary.key.reveal()) : before
  for (const [name, one] of wanted) text = applyEdits(text, modify(text, [name], one, {}))
  return new SecretText(text)
}
