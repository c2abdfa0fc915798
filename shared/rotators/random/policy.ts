import { RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { type Form, type FormName, formNames, forms } from './forms.js'

const formKey: PolicyKey = {
  name: 'form',
  default: 'token',
  help: 'how the key looks',
  check: (value) => (isForm(value) ? undefined : `must be one of ${formNames.join(', ')}`),
}
const sizeKey: PolicyKey = {
  name: 'size',
  help: 'bytes of randomness, or words of a passphrase, exactly',
  check: (value) => (/^[1-9]\d{0,2}$/.test(value) ? undefined : 'must be a whole number, such as 32'),
}
const prefixKey: PolicyKey = {
  name: 'prefix',
  default: 'key',
  help: 'what an api-key begins with, so that scanners find it',
  check: (value) => (/^[a-z][a-z0-9_]{1,19}$/.test(value) ? undefined : 'must be 2 to 20 of a-z 0-9 _, beginning with a letter'),
}
const fieldKey: PolicyKey = {
  name: 'field',
  namesField: true,
  help: 'the field of a JSON value that is the key; the rest stays as it is',
  check: (value) => (/^[A-Za-z0-9_.-]{1,64}$/.test(value) ? undefined : 'must be the name of a field'),
}
export const policyKeys: readonly PolicyKey[] = [formKey, sizeKey, prefixKey, fieldKey]

const isForm = (name: string): name is FormName => Object.hasOwn(forms, name)
/** The field of a JSON value that is the key; undefined where the policy names none. */
export const fieldOf = (policy: Policy): string | undefined => policyText(policy, fieldKey)
/** Whether a rotation keeps the previous key in the value; an emergency keeps none. */
export const overlaps = (policy: Policy): boolean => policy['keyturn-strategy'] === 'overlap'

/** What the policy asks for, whole. bad_policy for a size that its form does not have. */
export function wishOf(policy: Policy): { readonly form: Form; readonly size: number; readonly prefix: string } {
  const name = policyText(policy, formKey) ?? 'token'
  if (!isForm(name)) throw policyError('form', `There is no form "${name}"`, `Choose one of ${formNames.join(', ')}.`)
  const form: Form = forms[name]
  const given = policyText(policy, sizeKey)
  const { size } = form
  if (given !== undefined && size === undefined) throw policyError('size', `The form ${name} has one length`, 'Leave keyturn-size away.')
  const wanted = given === undefined ? (size?.default ?? 0) : Number(given)
  if (size !== undefined && !(wanted >= size.least && wanted <= size.most))
    throw policyError('size', `The form ${name} has ${size.least} to ${size.most} ${size.of}`, 'Choose a size in that range.')
  return { form, size: wanted, prefix: policyText(policy, prefixKey) ?? 'key' }
}

const policyError = (key: string, why: string, next: string): RotationError =>
  new RotationError('bad_policy', `${why}.`, { field: `keyturn-${key}`, next })
