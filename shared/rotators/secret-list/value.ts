import { applyEdits, modify } from 'jsonc-parser'
import { counted } from '../../core/counted.js'
import { RotationError } from '../../core/errors.js'
import { defaultRule, generatePassword } from '../../core/password.js'
import { policyText } from '../../core/policy/index.js'
import { mayChangeSpelling, spellingKey } from '../../core/policy/spelling.js'
import type { Env } from '../../core/ports/env.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape, writeKey } from '../../core/shapes/index.js'
import { assertKey } from '../../core/shapes/structure.js'
import { spellingOf, writeAs } from '../../core/spelling.js'

/** An ordered list: one end signs or encrypts, and every secret is still accepted. */
export interface ListValue {
  readonly field: string
  /** The newest first, at whichever end of the list it is: that one signs. */
  readonly secrets: readonly SecretText[]
  /** A public name of the newest secret. It is never derived from a secret. */
  readonly id?: string
  /** The newest secret is at the end of the list. */
  readonly reversed?: true
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
  help: 'characters of a new secret, exactly; as many as the one that signs has now',
  check: whole(lengthMin, 256),
}
const orderKey: PolicyKey = {
  name: 'order',
  default: 'first',
  help: 'which end of the list its server signs or encrypts with: first, last; a new secret comes there, and the other end leaves',
  check: (value) => (['first', 'last'].includes(value) ? undefined : 'must be first or last'),
}
/** The policy keys of a list. */
export const policyKeys: readonly PolicyKey[] = [fieldKey, orderKey, countKey, lengthKey, spellingKey]

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

/**
 * How the secret after the newest one is made. bad_policy where that has a length which a new one cannot have, where the policy names another length,
 * or where nothing tells how the newest one is written.
 */
export function makerFor(policy: Policy, { secrets, field }: ListValue): (random: Env['random']) => string {
  const asked = policyText(policy, lengthKey)
  const newest = secrets[0]?.reveal() ?? ''
  const length = asked === undefined ? newest.length : Number(asked)
  if (length < lengthMin || length > 256)
    throw lengthError(field, `has a length that a new one cannot have (${lengthMin} to 256 characters)`)
  if (mayChangeSpelling(policy)) return (random) => generatePassword({ ...defaultRule, length }, random)
  if (length !== newest.length) throw lengthError(field, `has ${counted(newest.length, 'character')}, not the ${length} of keyturn-length`)
  const spelling = spellingOf(newest)
  if (typeof spelling === 'string') throw lengthError(field, `does not show how a new one is to be written: ${spelling}`)
  return (random) => writeAs(spelling, random)
}

const lengthError = (field: string, why: string): RotationError =>
  new RotationError('bad_policy', `The secret of ${field} that signs ${why}.`, {
    field: 'keyturn-length',
    next: 'To have new ones written in another way, as letters, digits, _ and -: keyturn policy <ref> keyturn-length=32 keyturn-spelling=change.',
  })

/** Which secret comes and which one leaves with a rotation, for the person who adopts the list. */
export function outlookOf(policy: Policy, { secrets, field, reversed }: ListValue): string {
  const [newEnd, oldEnd] = reversed ? ['end', 'first'] : ['front', 'last']
  const count = countOf(policy, { secrets, field })
  const other = reversed ? 'first' : 'last'
  const leaves = `the ${oldEnd} one leaves first, once there are more than ${count}`
  return `A new secret comes at the ${newEnd} of ${field}, and signs; ${leaves}. If its server signs with the ${other} one, set keyturn-order=${other}`
}

/** bad_value with the field; bad_policy if neither the policy nor the value shows which field is meant. */
export function parseListValue(value: SecretText, policy: Policy): ListValue {
  const shape = readShape(value)
  if (shape.kind !== 'json') throw valueError('value', 'is not a JSON object')
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
  for (const one of list) assertKey(String(one), field)
  const id = shape.fields.get(`${field}_id`)
  const isReversed = policyText(policy, orderKey) === 'last'
  const secrets = inOrder(
    list.map((one) => new SecretText(String(one))),
    isReversed,
  )
  return { field, secrets, ...(isReversed ? { reversed: true as const } : {}), ...(typeof id === 'string' && id !== '' ? { id } : {}) }
}

const valueError = (field: string, why: string): RotationError =>
  new RotationError('bad_value', `The value ${why}.`, {
    field,
    next: 'Put it again as JSON, for example {"cookie": ["…"]}.',
  })

const inOrder = <T>(all: readonly T[], isReversed = false): readonly T[] => (isReversed ? [...all].reverse() : all)

/** Writes the list into a value. Every other byte stays, except in fields that held the secret which signed; a new public name comes at the end. */
export function renderListValue(shape: SecretText, { field, secrets, id, reversed }: ListValue): SecretText {
  const texts = inOrder(secrets, reversed).map((one) => one.reveal())
  const text = withoutOld(shape, field, secrets, reversed)
  const listed = applyEdits(text, modify(text, [field], texts, {}))
  if (id === undefined) return new SecretText(listed)
  return new SecretText(applyEdits(listed, modify(listed, [`${field}_id`], id, {})))
}

/** The text with the newest secret in every other field that held the one which signed until now. */
function withoutOld(shape: SecretText, field: string, [newest]: readonly SecretText[], reversed?: true): string {
  const read = readShape(shape)
  const list: unknown = read.kind === 'json' ? read.fields.get(field) : undefined
  const old: unknown = Array.isArray(list) ? list.at(reversed ? -1 : 0) : undefined
  if (typeof old !== 'string' || old === '' || newest === undefined) return shape.reveal()
  return writeKey(shape.reveal(), (name) => name === field || name === `${field}_id`, old, newest.reveal())
}
