import { failValue } from './errors.js'

/** How long the name of a login may be for an engine. */
export interface NameRule {
  readonly bytesMax: number
  /** What the server would do with a longer name, in words. */
  readonly longer: string
}

/** What is wrong with the length of a name, in words; undefined where it is not too long. */
export function whyTooLong(name: string, { bytesMax, longer }: NameRule): string | undefined {
  const bytes = Buffer.byteLength(name)
  return bytes > bytesMax ? `${bytes} bytes; ${longer}` : undefined
}

/** bad_value for a name that the server would take for another one, or that it cannot hold. */
export function assertName(name: string, field: string, rule: NameRule): void {
  const why = whyTooLong(name, rule)
  if (why !== undefined) failValue(field, `has ${why}`, 'Use a shorter name.')
  if (name === '' || name.includes('\0')) failValue(field, 'is empty or holds a NUL character', 'Use another name.')
}
