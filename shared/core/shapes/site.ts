import type { SecretText } from '../secret-text.js'
import { readShape } from './index.js'
import { readPort } from './port.js'

/** The host and port that the login of a value is for; undefined where the value does not name them. */
export interface Site {
  readonly host: string | undefined
  readonly port: number | undefined
}

/** undefined for a bare value, which names no host. bad_value for a value that cannot be read. */
export function siteOf(value: SecretText): Site | undefined {
  const shape = readShape(value)
  if (shape.kind === 'bare') return undefined
  const { host, port } = shape.kind === 'url' ? shape.url : { host: shape.fields.get('host'), port: shape.fields.get('port') }
  return {
    host: typeof host === 'string' && host !== '' ? host.toLowerCase() : undefined,
    port: readPort(port),
  }
}

/** A port that only one of them names does not make a difference. */
export const isSameSite = (one: Site | undefined, other: Site | undefined): boolean =>
  one !== undefined &&
  other !== undefined &&
  one.host === other.host &&
  (one.port === other.port || one.port === undefined || other.port === undefined)
