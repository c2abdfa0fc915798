import { RotationError } from '../../core/errors.js'

/** Throws for a wrong value. bad_value with the field. */
export function failValue(field: string, why: string, next: string): never {
  throw new RotationError('bad_value', `The field ${field} ${why}.`, { field, next })
}

/** Throws for a wrong policy. bad_policy with the key. */
export function failPolicy(name: string, why: string, next: string): never {
  throw new RotationError('bad_policy', `The policy key keyturn-${name} ${why}.`, { field: `keyturn-${name}`, next })
}
