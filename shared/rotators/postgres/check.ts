import type { Context } from '../../core/ports/rotator.js'
import { administratorOf, checkLogins } from '../sql/check.js'
import { failPolicy, failValue } from '../sql/errors.js'
import { hashOf } from './policy.js'
import { dialect, type PostgresValue } from './value.js'

/** Throws for what is certainly wrong, before anything is touched. */
export function check(context: Context<PostgresValue>, pending: PostgresValue | undefined): void {
  checkLogins(context, pending, dialect)
  if (pending === undefined) return
  if (/[^\x20-\x7e]/.test(pending.password.reveal())) {
    const why = 'holds characters outside printable ASCII, which clients prepare differently'
    failValue('password', why, 'Use printable ASCII only.')
  }
  if (hashOf(context.policy) === 'server' && pending.tls.mode === 'off') {
    const next = 'Turn TLS on in the secret, or let the verifier be made here (scram).'
    failPolicy('hash', 'says server, but the connection is plaintext', next)
  }
}

/** The administrator's own login, parsed without the policy of the secret that is rotated. */
export const adminOf = (context: Context<PostgresValue>): PostgresValue | undefined => administratorOf(context, dialect)
