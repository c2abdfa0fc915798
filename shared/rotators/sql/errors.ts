import { RotationError } from '../../core/errors.js'

/** For what a value says. bad_value with the field. */
export function failValue(field: string, why: string, next: string): never {
  throw new RotationError('bad_value', `The field ${field} ${why}.`, { field, next })
}

/** For what a policy says. bad_policy with the key. */
export function failPolicy(name: string, why: string, next: string): never {
  throw new RotationError('bad_policy', `The policy key keyturn-${name} ${why}.`, { field: `keyturn-${name}`, next })
}
