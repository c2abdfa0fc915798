import type { ConnectionOptions } from 'node:tls'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import { bad } from './errors.js'

/** verify: TLS with the certificate and the host name checked. off: plaintext, because the secret itself says so. Nothing in between. */
export type Tls = { readonly mode: 'verify'; readonly ca?: string } | { readonly mode: 'off' }

const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']

/** `ssl` (true, false, or as text), `sslmode` and `ca` (PEM) of a secret. Every mode but disable means verify-full: weaker ones would fall back. */
export function readTls(fields: ReadonlyMap<string, unknown>): Tls {
  const ssl = flag(fields.get('ssl'))
  const mode = fields.get('sslmode')
  if (mode !== undefined && (typeof mode !== 'string' || !modes.includes(mode))) {
    bad('sslmode', 'is unknown', `Use disable for plaintext, or verify-full; known are ${modes.join(', ')}.`)
  }
  if (ssl === true && mode === 'disable') bad('sslmode', 'says disable, but ssl says true', 'Keep one of them.')
  if (ssl === false && mode !== undefined && mode !== 'disable')
    bad('ssl', `says false, but sslmode says ${String(mode)}`, 'Keep one of them.')
  if (ssl === false || mode === 'disable') return { mode: 'off' }
  const ca = fields.get('ca') ?? fields.get('sslrootcert')
  if (ca === undefined) return { mode: 'verify' }
  if (typeof ca !== 'string' || !ca.includes('-----BEGIN CERTIFICATE-----'))
    return bad('ca', 'holds no certificate in PEM form', 'Give the text of the CA file, with its BEGIN and END lines.')
  return { mode: 'verify', ca }
}

function flag(value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  if (value === 'true' || value === 'false') return value === 'true'
  return bad('ssl', 'must be true or false', 'Use true for TLS with verification, false for plaintext.')
}

/** The platform's own authorities, for its own hosts: in place of Node's list, as `ca` is. */
const hostCa = (host: string, { hostCa: known }: Pick<Env, 'hostCa'>): string | undefined =>
  known?.endings.some((ending) => host.toLowerCase().endsWith(ending)) ? known.pem : undefined

/** P-256 first: servers up to 17 speak nothing else, and Node's default would cost them another round trip. */
export const tlsOptions = (tls: Tls, host: string, env: Pick<Env, 'ca' | 'hostCa'>): ConnectionOptions | false => {
  if (tls.mode === 'off') return false
  const ca = tls.ca ?? env.ca ?? hostCa(host, env)
  return { rejectUnauthorized: true, minVersion: 'TLSv1.2', ecdhCurve: 'P-256:X25519', ...optional('ca', ca) }
}
