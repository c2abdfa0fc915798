import type { ConnectionOptions } from 'node:tls'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import { isGiven } from '../../core/shapes/given.js'
import { failValue } from './errors.js'

/** verify: TLS with the certificate and the host name checked. off: plaintext, because the secret itself says so. Nothing in between. */
export type Tls = { readonly mode: 'verify'; readonly ca?: string } | { readonly mode: 'off' }

/** How the clients of an engine write their TLS settings. */
export interface TlsWords {
  /** The field that holds one of `modes`, of which `off` means plaintext and the last one is the strictest. */
  readonly field: string
  readonly modes: readonly string[]
  readonly off: string
  /** Fields that may hold an authority, the first one first. */
  readonly ca: readonly string[]
}

/**
 * Reads `ssl` (true or false, also as a text in any case), a mode and an authority (PEM). Every mode except `off` verifies: weaker ones would fall back.
 * Anything else in `ssl` means the same as an absent one, so the connection is verified; with the mode `off` beside it that is a contradiction. bad_value.
 */
export function readTls(fields: ReadonlyMap<string, unknown>, { field, modes, off, ca: caFields }: TlsWords): Tls {
  const given = (name: string): unknown => (isGiven(fields.get(name)) ? fields.get(name) : undefined)
  const ssl = flag(given('ssl'))
  const mode = given(field)
  const isKnown = mode === undefined || (typeof mode === 'string' && modes.includes(mode))
  if (!isKnown) {
    const known = `known are ${modes.join(', ')}`
    failValue(field, 'is unknown', `Use ${off} for plaintext, or ${modes.at(-1)}; ${known}.`)
  }
  if (mode === off && ssl === true) failValue(field, `says ${off}, but ssl says true`, 'Keep one of them.')
  if (mode === off && ssl === 'unclear') failValue('ssl', `is neither true nor false, and ${field} says ${off}`, 'Keep one of them.')
  if (ssl === false && mode !== undefined && mode !== off)
    failValue('ssl', `says false, but ${field} says ${String(mode)}`, 'Keep one of them.')
  if (ssl === false || mode === off) return { mode: 'off' }
  const ca = caFields.map(given).find((text) => text !== undefined)
  if (ca === undefined) return { mode: 'verify' }
  if (typeof ca !== 'string' || !ca.includes('-----BEGIN CERTIFICATE-----'))
    return failValue('ca', 'holds no certificate in PEM form', 'Give the text of the CA file, with its BEGIN and END lines.')
  return { mode: 'verify', ca }
}

function flag(value: unknown): boolean | 'unclear' | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  const text = typeof value === 'string' ? value.toLowerCase() : ''
  return text === 'true' || text === 'false' ? text === 'true' : 'unclear'
}

/** The platform's own authorities, for its own hosts. Like `ca` they replace Node's list. */
function hostCa(host: string, { hostCa: known }: Pick<Env, 'hostCa'>): string | undefined {
  const isOwn = known?.endings.some((ending) => host.toLowerCase().endsWith(ending))
  return isOwn ? known?.pem : undefined
}

/** The options that a driver hands to node:tls; false for plaintext. */
export function tlsOptions(tls: Tls, host: string, env: Pick<Env, 'ca' | 'hostCa'>): ConnectionOptions | false {
  if (tls.mode === 'off') return false
  const ca = tls.ca ?? env.ca ?? hostCa(host, env)
  return { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...optional('ca', ca) }
}
