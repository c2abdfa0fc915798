import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { certificateOf } from './x509.js'

export interface Certificate {
  readonly cert: string
  readonly key: string
}

const dayMs = 24 * 3600_000
const authorityName = 'Keyturn test CA'
const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

/** A certificate authority of this test alone. */
export class Authority {
  readonly #key = newKey()
  readonly ca = certificateOf({ subject: authorityName, issuer: authorityName, key: this.#key, signer: this.#key, ...lasting(2) })

  /** names as in a certificate: `IP:127.0.0.1`, `DNS:localhost`. */
  issue(names: readonly string[], validity: 'valid' | 'expired' = 'valid'): Certificate {
    const key = newKey()
    const days = lasting(validity === 'valid' ? 1 : -1)
    const cert = certificateOf({ subject: 'server', issuer: authorityName, key, signer: this.#key, names, ...days })
    return { cert, key: key.export({ type: 'pkcs8', format: 'pem' }).toString() }
  }
}

/** Until so many days from now; from long enough ago that no clock is too early. */
function lasting(days: number): { readonly from: Date; readonly until: Date } {
  const until = Date.now() + days * dayMs
  return { from: new Date(Math.min(Date.now(), until) - dayMs), until: new Date(until) }
}
