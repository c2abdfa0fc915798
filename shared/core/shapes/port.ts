import { RotationError } from '../errors.js'

/** Digits with a plus sign and ASCII white space around them: what every client of a value takes for the same number. */
const form = /^[ \t-\r]*\+?0*(\d{1,5})[ \t-\r]*$/

/**
 * The port of a value, written as a number or as a text; undefined where the field is absent, null or empty. bad_value for anything else, such as
 * `5_432`, of which one client reads 5432 and another one 5.
 */
export function readPort(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const port = typeof value === 'string' ? Number(form.exec(value)?.[1]) : value
  if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw new RotationError('bad_value', 'The field port is not a port number.', {
    field: 'port',
    next: 'Give a whole number from 1 to 65535.',
  })
}
