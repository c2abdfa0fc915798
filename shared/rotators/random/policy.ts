import { RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import { mayChangeSpelling, spellingKey } from '../../core/policy/spelling.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { type Form, type FormName, formNames, forms } from './forms.js'

const formKey: PolicyKey = {
  name: 'form',
  help: 'how a new key looks; without it, as the present key does',
  check: (value) => (isForm(value) ? undefined : `must be one of ${formNames.join(', ')}`),
}
const sizeKey: PolicyKey = {
  name: 'size',
  help: 'bytes of randomness, or words of a passphrase, exactly',
  check: (value) => (/^[1-9]\d{0,2}$/.test(value) ? undefined : 'must be a whole number, such as 32'),
}
const prefixKey: PolicyKey = {
  name: 'prefix',
  help: 'what an api-key begins with, so that scanners find it',
  check: (value) => (prefixForm.test(value) ? undefined : 'must be 2 to 20 of a-z 0-9 _, beginning with a letter'),
}
const prefixForm = /^[a-z][a-z0-9_]{1,19}$/
const fieldKey: PolicyKey = {
  name: 'field',
  namesField: true,
  help: 'the field of a JSON value that is the key; the rest stays as it is',
  check: (value) => (fieldName.test(value) ? undefined : 'must be the name of a field'),
}
const fieldName = /^[A-Za-z0-9_.-]{1,64}$/
/** The policy keys of random keys. */
export const policyKeys: readonly PolicyKey[] = [formKey, sizeKey, prefixKey, spellingKey, fieldKey]

const isForm = (name: string): name is FormName => Object.hasOwn(forms, name)
/** The field of a JSON value that is the key; undefined where the policy names none. */
export const fieldOf = (policy: Policy): string | undefined => policyText(policy, fieldKey)
/** Whether a rotation keeps the previous key in the value; an emergency keeps none. */
export const overlaps = (policy: Policy): boolean => policy['keyturn-strategy'] === 'overlap'

/** How a new key looks where the policy names its form. */
export interface Wish {
  readonly name: FormName
  readonly form: Form
  readonly size: number
  readonly prefix: string
}

/** The form that the policy names; undefined where a new key is to look like the present one. bad_policy for a size that its form does not have. */
export function wishOf(policy: Policy): Wish | undefined {
  const name = policyText(policy, formKey) ?? (mayChangeSpelling(policy) ? 'token' : undefined)
  if (name === undefined) return undefined
  if (!isForm(name)) throw policyError('form', `Keyturn has no form "${name}"`, `Choose one of ${formNames.join(', ')}.`)
  const form: Form = forms[name]
  const size = sizeOf(name, form, policyText(policy, sizeKey))
  return { name, form, size, prefix: policyText(policy, prefixKey) ?? 'key' }
}

function sizeOf(name: FormName, { size }: Form, given: string | undefined): number {
  if (given === undefined) return size?.default ?? 0
  if (size === undefined) throw policyError('size', `The form ${name} has one length`, 'Remove keyturn-size.')
  const { least, most, of } = size
  const wanted = Number(given)
  if (wanted >= least && wanted <= most) return wanted
  throw policyError('size', `The form ${name} has ${least} to ${most} ${of}`, 'Choose a size in that range.')
}

/** Which of size and prefix the policy names although it names no form. */
export const withoutForm = (policy: Policy): 'size' | 'prefix' | undefined =>
  (['size', 'prefix'] as const).find((name) => policy[`keyturn-${name}`] !== undefined)

/** Makes a bad_policy error for one key of the policy. */
export const policyError = (key: string, why: string, next: string): RotationError =>
  new RotationError('bad_policy', `${why}.`, { field: `keyturn-${key}`, next })
