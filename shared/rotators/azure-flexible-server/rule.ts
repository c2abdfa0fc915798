import type { SecretText } from '../../core/secret-text.js'
import { failValue } from '../sql/errors.js'

/**
 * What both engines take: 8 to 128 characters, of three of four classes. https://learn.microsoft.com/en-us/cli/azure/postgres/flexible-server and
 * https://learn.microsoft.com/en-us/azure/mysql/flexible-server/how-to-manage-server-cli
 */
const passwordLengthMin = 8
export const passwordLengthMax = 128
const classesMin = 3
const classes = [/[A-Z]/, /[a-z]/, /[0-9]/, /[^A-Za-z0-9]/]

/** bad_value for a password that the platform is known to refuse. What it refuses besides, it says itself. */
export function assertKeepsRule(password: SecretText): void {
  const text = password.reveal()
  if (text.length < passwordLengthMin || text.length > passwordLengthMax)
    failValue(
      'password',
      `must have ${passwordLengthMin} to ${passwordLengthMax} characters at Azure`,
      'Put another one; nothing was sent.',
    )
  if (classes.filter((one) => one.test(text)).length < classesMin)
    failValue(
      'password',
      `must have ${classesMin} of these at Azure: capital letters, small letters, digits, other characters`,
      'Put another one; nothing was sent.',
    )
}
