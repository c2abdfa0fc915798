import { RotationError } from '../../core/errors.js'
import type { SecretText } from '../../core/secret-text.js'

/** The service takes values of 25 KB. */
export const valueBytesMax = 25_000

/** Checks a value before anything is sent. too_large; bad_value for an empty one, and for a text that has no UTF-8. */
export function assertValue(value: SecretText): void {
  const text = value.reveal()
  if (!text.isWellFormed())
    throw new RotationError('bad_value', 'The value is not well-formed Unicode text.', { field: 'value', next: 'Put it again as UTF-8.' })
  if (text === '') throw new RotationError('bad_value', 'The value is empty.', { field: 'value', next: 'Put a value with a credential.' })
  if (value.bytes <= valueBytesMax) return
  throw new RotationError('too_large', `The value has ${value.bytes} bytes; this store takes ${valueBytesMax}.`, {
    field: 'value',
    next: 'Shorten it.',
  })
}
