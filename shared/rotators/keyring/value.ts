import { applyEdits, modify } from 'jsonc-parser'
import * as v from 'valibot'
import { RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape } from '../../core/shapes/index.js'

export const fieldKey: PolicyKey = {
  name: 'field',
  namesField: true,
  default: 'key',
  help: 'the field of the JSON value that is the key which encrypts',
  check: (value) => (/^[A-Za-z0-9_.-]{1,64}$/.test(value) ? undefined : 'must be the name of a field'),
}

/** One key of the ring, with the id that encrypted data carries. */
export interface RingKey {
  /** Not secret and never derived from the key. */
  readonly id: string
  readonly key: SecretText
}
/** The first encrypts; all of them decrypt, each what carries its id. Newest first. */
export interface KeyringValue {
  readonly field: string
  readonly keys: readonly [RingKey, ...RingKey[]]
}

/** Of a key that had no name when it was taken over. */
export const firstId = 'first'
const form = v.array(v.object({ id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]{1,64}$/)), key: v.pipe(v.string(), v.nonEmpty()) }))

/** `<field>`: the key that encrypts · `<field>_id`: its name · `<field>_previous`: the others, as id and key. bad_value with the field. */
export function parseKeyring(value: SecretText, policy: Policy): KeyringValue {
  const shape = readShape(value)
  const field = policyText(policy, fieldKey) ?? 'key'
  if (shape.kind !== 'json') throw valueError('value', 'is no JSON, and older keys need a place beside the one that encrypts')
  const [key, id, previous] = [field, `${field}_id`, `${field}_previous`].map((name) => shape.fields.get(name))
  if (typeof key !== 'string' || key === '') throw valueError(field, `has no text in its field ${field}`)
  if (id !== undefined && (typeof id !== 'string' || id === '')) throw valueError(`${field}_id`, `has no name in its field ${field}_id`)
  const parsed = v.safeParse(form, previous ?? [])
  if (!parsed.success)
    throw valueError(`${field}_previous`, `has something else than a list of {"id", "key"} in its field ${field}_previous`)
  const keys = [{ id: id ?? firstId, key }, ...parsed.output]
  for (const name of ['id', 'key'] as const)
    if (new Set(keys.map((one) => one[name])).size < keys.length)
      throw valueError(`${field}_previous`, name === 'id' ? 'gives one id to two keys' : 'has one key under two ids')
  const [primary, ...others] = keys.map((one): RingKey => ({ id: one.id, key: new SecretText(one.key) }))
  if (primary === undefined) throw valueError(field, 'has no key')
  return { field, keys: [primary, ...others] }
}

const valueError = (field: string, why: string): RotationError =>
  new RotationError('bad_value', `The value ${why}.`, { field, next: 'Put it again as JSON; docs/keyring.md has the fields.' })

/** Every other byte stays. */
export function renderKeyring(shape: SecretText, { field, keys: [primary, ...others] }: KeyringValue): SecretText {
  const wanted: readonly (readonly [string, unknown])[] = [
    [field, primary.key.reveal()],
    [`${field}_id`, primary.id],
    [`${field}_previous`, others.map(({ id, key }) => ({ id, key: key.reveal() }))],
  ]
  return new SecretText(wanted.reduce((text, [name, one]) => applyEdits(text, modify(text, [name], one, {})), shape.reveal()))
}
