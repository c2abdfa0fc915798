import { RotationError } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import type { Dialect } from './dialect.js'
import { failPolicy, failValue } from './errors.js'
import { type DatabaseLogin, parseLogin } from './login.js'
import { assertName } from './names.js'
import { otherOf, strategyOf } from './pair.js'

/** Throws for what is certainly wrong with logins and administrator, before anything is touched. bad_policy, bad_value, admin_mismatch. */
export function checkLogins(context: Context<DatabaseLogin>, pending: DatabaseLogin | undefined, dialect: Dialect): void {
  const { current, policy } = context
  const alternate = strategyOf(policy) === 'alternate'
  if (alternate && context.admin === undefined) {
    const next = 'Set keyturn-admin to the secret of an administrator of this server.'
    failPolicy('admin', 'is missing: with alternate an administrator sets the idle login', next)
  }
  if (alternate && current?.shape === 'bare')
    failPolicy('strategy', 'alternate needs a value that names its user', 'Put the value as JSON or as a URL.')
  const users = [current?.user, pending?.user].filter((user) => user !== undefined)
  if (alternate && current) users.push(otherOf(current.user, policy, dialect.names))
  checkAdmin(context, users, dialect)
  if (pending !== undefined) checkPending(context, pending, dialect)
}

/** Checks that the pending value is for the same place, and for a login that may be next. */
function checkPending({ current, policy }: Context<DatabaseLogin>, pending: DatabaseLogin, { names }: Dialect): void {
  assertName(pending.user, 'username', names)
  if (current === undefined) return
  for (const field of ['host', 'port', 'database'] as const) {
    if (pending[field] === current[field]) continue
    const next = 'Put a corrected value; the pending one is not applied.'
    failValue(field, 'of the pending value names another place than the current one', next)
  }
  const alternates = strategyOf(policy) === 'alternate'
  const allowed = alternates ? otherOf(current.user, policy, names) : current.user
  if (![allowed, current.user].includes(pending.user))
    failValue('username', `of the pending value is ${pending.user}, not ${allowed}`, 'Put a corrected value.')
}

function checkAdmin(context: Context<DatabaseLogin>, rotated: readonly string[], dialect: Dialect): void {
  const admin = administratorOf(context, dialect)
  const { current } = context
  if (admin === undefined || current === undefined) return
  const failCheck = (why: string, next: string): never => {
    throw new RotationError('admin_mismatch', `The administrator's secret ${context.admin?.ref.shown} ${why}.`, {
      field: 'keyturn-admin',
      next,
    })
  }
  const host = current.host.toLowerCase()
  const same = admin.host.toLowerCase() === host && admin.port === current.port
  if (!same && !context.admin?.hosts?.includes(host)) {
    const why = `belongs to ${admin.host}:${admin.port}, not to ${current.host}:${current.port}`
    failCheck(why, 'An administrator logs in only to the host that its own secret names.')
  }
  if (rotated.includes(admin.user)) {
    const why = `is ${admin.user}, the login that is rotated`
    failCheck(why, 'Use another login as administrator; this one would lock itself out.')
  }
}

/** The administrator's own login, parsed without the policy of the secret that is rotated. bad_value. */
export const administratorOf = ({ admin }: Context<DatabaseLogin>, dialect: Dialect): DatabaseLogin | undefined =>
  admin ? parseLogin(admin.value, {}, dialect) : undefined
