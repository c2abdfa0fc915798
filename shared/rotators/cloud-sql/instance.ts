import { isIP } from 'node:net'
import { RotationError } from '../../core/errors.js'
import { failMysqlLogin } from '../control-plane/policy.js'
import { failPolicy, failValue } from '../sql/errors.js'
import type { AdminApi, Instance, User } from './api.js'
import { answerer, shownPlace } from './policy.js'
import type { CloudSqlValue } from './value.js'

/** The host part of the login's account: what the policy names, else every host; undefined where the engine has none. */
export const accountHostFor = ({ version }: Instance, { accountHost }: CloudSqlValue): string | undefined =>
  version.startsWith('MYSQL') ? (accountHost ?? '%') : undefined

/** Looks at the instance alone. Throws where it is not one whose passwords this rotator sets, or not one of the value. */
export async function lookAtInstance(api: AdminApi, value: CloudSqlValue): Promise<Instance> {
  const instance = await api.instance()
  assertOurs(instance, value)
  return instance
}

/** Looks at the instance and at the login, and changes nothing. Throws where the password of this login is not ours to set there. */
export async function lookAt(api: AdminApi, value: CloudSqlValue): Promise<Instance> {
  const instance = await lookAtInstance(api, value)
  const user = await api.user(value.login.user, accountHostFor(instance, value))
  assertHasPassword(user, value)
  return instance
}

/** Whether it takes a change now; a stopped one does not. */
export const isReady = ({ state, isStopped }: Instance): boolean => state === 'RUNNABLE' && !isStopped

function assertOurs({ version, replicaOf, addresses }: Instance, value: CloudSqlValue): void {
  const { login, place, engine, accountHost, provenBy } = value
  const shown = shownPlace(place)
  const isMysql = version.startsWith('MYSQL')
  if (!isMysql && !version.startsWith('POSTGRES'))
    failPolicy('instance', `names ${shown}, which runs ${shownVersion(version)}`, 'This rotator is for PostgreSQL and MySQL.')
  if (engine !== undefined && isMysql !== (engine === 'mysql'))
    failValue(
      'engine',
      `, or the URL, is of ${engine === 'mysql' ? 'MySQL' : 'PostgreSQL'}, and ${shown} runs ${shownVersion(version)}`,
      'Correct the value or keyturn-instance; nothing was changed.',
    )
  if (isMysql && provenBy === 'login') failMysqlLogin(answerer)
  if (!isMysql && accountHost !== undefined)
    failPolicy('account-host', `is set, and ${shown} runs ${shownVersion(version)}`, 'Only MySQL has hosts in its accounts: remove it.')
  if (replicaOf !== undefined)
    failPolicy('instance', `names ${shown}, a read replica of ${replicaOf}`, 'Name the primary: its passwords are those of every replica.')
  // A name, or an address of this machine, may lead there by a proxy; another address must be the instance's own.
  const isElsewhere = provenBy === 'login' && isIP(login.host) !== 0 && !isLoopback(login.host) && !addresses.includes(login.host)
  if (isElsewhere)
    failValue('host', `is ${login.host}, which is no address of ${shown}`, 'Correct the host or keyturn-instance; nothing was changed.')
}

const isLoopback = (host: string): boolean => host === '::1' || host.startsWith('127.')
/** Only letters, digits and underscores of what the service said. */
const shownVersion = (version: string): string => (/^\w{1,60}$/.test(version) ? version : 'another engine')

/** A login of IAM has no password. */
function assertHasPassword({ type }: User, { login, place }: CloudSqlValue): void {
  if (type === 'BUILT_IN') return
  const shown = /^[A-Z_]{1,60}$/.test(type) ? type : 'another kind'
  throw new RotationError('bad_value', `The user ${login.user} of ${shownPlace(place)} is of the type ${shown}, which has no password.`, {
    field: 'username',
    next: 'Name a built-in user; nothing was changed.',
  })
}
