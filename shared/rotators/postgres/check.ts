import { RotationError } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { bad } from './errors.js'
import { hashOf, otherOf, strategyOf } from './policy.js'
import { assertName, type PostgresValue, parsePostgres } from './value.js'

/** What is certainly wrong before anything is touched. */
export function check(context: Context<PostgresValue>, pending: PostgresValue | undefined): void {
  const { current, policy } = context
  const alternate = strategyOf(policy) === 'alternate'
  if (alternate && context.admin === undefined) {
    refusePolicy(
      'admin',
      'is missing: with alternate an administrator sets the idle login',
      'Set keyturn-admin to the secret of an administrator of this server.',
    )
  }
  if (alternate && current?.shape === 'bare')
    refusePolicy('strategy', 'alternate needs a value that names its user', 'Put the value as JSON or as a URL.')
  const users = [current?.user, pending?.user].filter((user) => user !== undefined)
  if (alternate && current) users.push(otherOf(current.user, policy))
  checkAdmin(context, users)
  if (pending !== undefined) checkPending(context, pending)
}

function checkPending({ current, policy }: Context<PostgresValue>, pending: PostgresValue): void {
  assertName(pending.user, 'username')
  if (/[^\x20-\x7e]/.test(pending.password.reveal())) {
    bad('password', 'holds characters outside printable ASCII, which clients prepare differently', 'Use printable ASCII only.')
  }
  if (hashOf(policy) === 'server' && pending.tls.mode === 'off') {
    refusePolicy(
      'hash',
      'says server, but the connection is plaintext',
      'Turn TLS on in the secret, or let the verifier be made here (scram).',
    )
  }
  if (current === undefined) return
  for (const field of ['host', 'port', 'database'] as const) {
    if (pending[field] !== current[field])
      bad(field, 'of the pending value names another place than the current one', 'Put a corrected value; the pending one is not applied.')
  }
  const allowed = strategyOf(policy) === 'alternate' ? otherOf(current.user, policy) : current.user
  if (pending.user !== allowed && pending.user !== current.user)
    bad('username', `of the pending value is ${pending.user}, not ${allowed}`, 'Put a corrected value.')
}

function checkAdmin(context: Context<PostgresValue>, rotated: readonly string[]): void {
  const admin = adminOf(context)
  const { current } = context
  if (admin === undefined || current === undefined) return
  const refuse = (why: string, next: string): never => {
    throw new RotationError('admin_mismatch', `The administrator's secret ${context.admin?.ref.shown} ${why}.`, {
      field: 'keyturn-admin',
      next,
    })
  }
  const same = admin.host.toLowerCase() === current.host.toLowerCase() && admin.port === current.port
  if (!same && !context.admin?.hosts?.includes(current.host.toLowerCase())) {
    refuse(
      `belongs to ${admin.host}:${admin.port}, not to ${current.host}:${current.port}`,
      'An administrator is only sent to the host that its own secret names.',
    )
  }
  if (rotated.includes(admin.user))
    refuse(`is ${admin.user}, the login that is rotated`, 'Use another login as administrator; this one would lock itself out.')
}

/** The administrator's own login, parsed without the policy of the secret that is rotated. */
export const adminOf = ({ admin }: Context<PostgresValue>): PostgresValue | undefined =>
  admin ? parsePostgres(admin.value, {}) : undefined

const refusePolicy = (key: string, why: string, next: string): never => {
  throw new RotationError('bad_policy', `The policy key keyturn-${key} ${why}.`, { field: `keyturn-${key}`, next })
}
