import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { RotationError } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import type { SecretText } from '../../core/secret-text.js'

/** The form in which pg_authid keeps a SCRAM-SHA-256 password (RFC 5803). The server would take anything else there for clear text. */
const form = /^SCRAM-SHA-256\$[1-9]\d{3,5}:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/
const saltBytes = 16
const iterationsDefault = 4096
const iterationsMax = 100_000 // the driver refuses to log in with more

/** The iterations that the server's own setting asks for, up to what the driver can log in with. */
export function iterationsFor(setting: string | null): number {
  const asked = Number(setting ?? iterationsDefault)
  return Number.isInteger(asked) && asked >= iterationsDefault ? Math.min(asked, iterationsMax) : iterationsDefault
}

/**
 * The salt of one rotation. A step that is repeated sets the same verifier again: poolers log in with a copy of it, and a copy with another salt is
 * worthless. A salt is no secret, it only has to be another one each time; nothing of the password may be in it, since servers tell it to everybody.
 */
export const saltFor = ({ token, ref }: Pick<Context<unknown>, 'token' | 'ref'>, user: string): Uint8Array =>
  createHash('sha256')
    .update(JSON.stringify([token, ref.store, ref.key, user]))
    .digest()
    .subarray(0, saltBytes)

/** Makes the verifier of a password. It must be printable ASCII: clients disagree on how other characters are prepared (RFC 4013). */
export function scramVerifier(password: SecretText, salt: Uint8Array, iterations: number): string {
  const salted = pbkdf2Sync(password.reveal(), salt, iterations, 32, 'sha256')
  const mac = (text: string) => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(mac('Client Key')).digest()
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  const keys = `${base64(storedKey)}:${base64(mac('Server Key'))}`
  return checkedVerifier(`SCRAM-SHA-256$${iterations}:${base64(salt)}$${keys}`)
}

/** Checks the form of a verifier. The server does not refuse a malformed one: it would become the clear-text password. */
export function checkedVerifier(text: string): string {
  if (form.test(text)) return text
  throw new RotationError('internal', 'The password verifier is not in the form that PostgreSQL stores; it was not sent.', {
    next: 'Report it; nothing was changed.',
  })
}
