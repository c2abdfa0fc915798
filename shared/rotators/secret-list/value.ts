import { applyEdits, modify } from 'jsonc-parser'
import { RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape } from '../../core/shapes/index.js'

/** An ordered list: the first secret signs or encrypts, and every one is still accepted. */
export interface ListValue {
  readonly field: string
  readonly secrets: readonly SecretText[]
  /** A public name of the first secret. It is never derived from a secret. */
  readonly id?: string
}

const lengthMin = 22
const whole = (least: number, most: number) => (value: string) => {
  const fits = /^\d{1,3}$/.test(value) && Number(value) >= least && Number(value) <= most
  return fits ? undefined : `must be a whole number from ${least} to ${most}`
}

const fieldKey: PolicyKey = {
  name: 'field',
  namesField: true,
  help: 'the field of the JSON value that is the list; the rest stays as it is',
  check: (value) => (/^[A-Za-z0-9_.-]{1,64}$/.test(value) ? undefined : 'must be the name of a field'),
}
const countKey: PolicyKey = {
  name: 'count',
  help: 'how many secrets the list has at most; as many as it has now, and two at least',
  check: whole(2, 50),
}
const lengthKey: PolicyKey = {
  name: 'length',
  help: 'characters of a new secret, exactly; as many as the first one has now',
  check: whole(lengthMin, 256),
}
/** The policy keys of a list. */
export const policyKeys: readonly PolicyKey[] = [fieldKey, countKey, lengthKey]

/** How many secrets the list has at most. With fewer than two, the secret that signed until now would be dropped while it is in use. */
export const countOf = (policy: Policy, { secrets }: ListValue): number =>
  Number(policyText(policy, countKey) ?? Math.max(2, secrets.length))

/** bad_policy where a rotation would drop several secrets at once although all of them are still accepted. */
export function assertCount(policy: Policy, { secrets, field }: ListValue): void {
  if (countOf(policy, { secrets, field }) >= secrets.length) return
  throw new RotationError(
    'bad_policy',
    `keyturn-count is less than the ${secrets.length} secrets of ${field}: live ones would be dropped.`,
    {
      field: 'keyturn-count',
      next: 'Put a shorter list once the last ones are not in use any more, or raise the count.',
    },
  )
}

/** The length of a new secret. bad_policy where the present one has a length that a new one cannot have. */
export function lengthOf(policy: Policy, { secrets, field }: ListValue): number {
  const asked = policyText(policy, lengthKey)
  const length = asked === undefined ? (secrets[0]?.reveal().length ?? 0) : Number(asked)
  if (length >= lengthMin && length <= 256) return length
  throw new RotationError(
    'bad_policy',
    `The first secret of ${field} has a length that a new one cannot have (${lengthMin} to 256 characters).`,
    {
      field: 'keyturn-length',
      next: 'Say how long a new one is, for example keyturn policy <ref> length=32.',
    },
  )
}

/** bad_value with the field; bad_policy if neither the policy nor the value shows which field is meant. */
export function parseListValue(value: SecretText, policy: Policy): ListValue {
  const shape = readShape(value)
  if (shape.kind !== 'json') throw valueError('value', 'is not JSON')
  const lists = [...shape.fields].filter(([, one]) => Array.isArray(one)).map(([name]) => name)
  const field = policyText(policy, fieldKey) ?? (lists.length === 1 ? lists[0] : undefined)
  if (field === undefined)
    throw new RotationError('bad_policy', `The policy does not name the field of the list, and ${lists.length} fields are lists.`, {
      field: 'keyturn-field',
      next: 'Name it with keyturn policy <ref> field=….',
    })
  const list: unknown = shape.fields.get(field)
  if (!Array.isArray(list) || list.length === 0 || !list.every((one) => typeof one === 'string' && one !== ''))
    throw valueError(field, `has no list of texts in its field ${field}`)
  if (new Set(list).size !== list.length) throw valueError(field, `has one text twice in its field ${field}`)
  const id = shape.fields.get(`${field}_id`)
  const secrets = list.map((one) => new SecretText(String(one)))
  return typeof id === 'string' && id !== '' ? { field, secrets, id } : { field, secrets }
}

const valueError = (field: string, why: string): RotationError =>
  new RotationError('bad_value', `The value ${why}.`, {
    field,
    next: 'Put it again as JSON, for example {"cookie": ["…"]}.',
  })

/** Writes the list into a value. Every other byte stays; a new public name comes at the end. */
export function renderListValue(shape: SecretText, { field, secrets, id }: ListValue): SecretText {
  const text = shape.reveal()
  const texts = secrets.map((one) => one.reveal())
  const listed = applyEdits(text, modify(text, [field], texts, {}))
  if (id === undefined) return new SecretText(listed)
  return new SecretText(applyEdits(listed, modify(listed, [`${field}_id`], id, {})))
}
