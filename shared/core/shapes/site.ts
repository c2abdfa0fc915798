import type { SecretText } from '../secret-text.js'
import { readShape } from './index.js'

/** Where a value says that its login is for; a port that is not named is undefined. */
export interface Site {
  readonly host: string | undefined
  readonly port: number | undefined
}

/** Undefined for a bare value, which says nothing. bad_value for one that cannot be read. */
export function siteOf(value: SecretText): Site | undefined {
  const shape = readShape(value)
  if (shape.kind === 'bare') return undefined
  const [host, port] = shape.kind === 'url' ? [shape.url.host, shape.url.port] : [shape.fields.get('host'), shape.fields.get('port')]
  return {
    host: typeof host === 'string' && host !== '' ? host.toLowerCase() : undefined,
    port: port === undefined || port === '' ? undefined : Number(port),
  }
}

/** A port that one of them does not name is no difference. */
export const isSameSite = (one: Site | undefined, other: Site | undefined): boolean =>
  one !== undefined &&
  other !== undefined &&
  one.host === other.host &&
  (one.port === other.port || one.port === undefined || other.port === undefined)
