import { RotationError } from '../../core/errors.js'
import { failPolicy, failValue } from '../sql/errors.js'
import type { ManagementApi, Server } from './api.js'
import { commandFor, shownPlace } from './policy.js'
import type { FlexibleValue } from './value.js'

/** Looks at the server, and changes nothing. Throws where the password of this login is not ours to set there. bad_policy, bad_value. */
export async function lookAt(api: ManagementApi, value: FlexibleValue): Promise<Server> {
  const server = await api.server()
  assertOurs(server, value)
  return server
}

/** Whether it takes a change now. held where it takes none before a person starts it. */
export function isReady({ state }: Server, { place }: FlexibleValue): boolean {
  if (!/^(?:Stopped|Stopping|Disabled|Dropping|Inaccessible)$/i.test(state)) return state === 'Ready'
  throw new RotationError('held', `${shownPlace(place)} is ${state}, and takes no password; nothing was sent.`, {
    field: 'keyturn-resource-id',
    next: `Start it (${commandFor(place)} start), or wait until it is Ready; ${commandFor(place)} show says the state.`,
  })
}

/** No replica takes one: https://learn.microsoft.com/en-us/azure/postgresql/flexible-server/how-to-reset-admin-password */
function assertOurs({ administrator, role, isWithoutPasswords, host }: Server, { login, place, provenBy }: FlexibleValue): void {
  const shown = shownPlace(place)
  if (/replica/i.test(role))
    failPolicy('resource-id', `names ${shown}, which is a read replica`, 'Name the primary: its password is that of every replica.')
  if (isWithoutPasswords) {
    const next = `Turn it on (${commandFor(place)} update --password-auth Enabled), or leave its logins to Entra; nothing was changed.`
    failPolicy('resource-id', `names ${shown}, where password authentication is off`, next)
  }
  if (administrator !== login.user) {
    const known = /^[\w.-]{1,63}$/.test(administrator) ? `is ${administrator}, not` : 'is not'
    const next = 'Use another rotator for any other login: the platform sets the password of the administrator alone. Nothing was changed.'
    failValue('username', `names a login whose password ${shown} does not set: its administrator ${known} ${login.user}`, next)
  }
  if (provenBy === 'login' && isOfAnother(login.host.toLowerCase(), host))
    failValue(
      'host',
      `is ${login.host}, which is another server than ${host}`,
      'Correct the host or keyturn-resource-id; nothing was changed.',
    )
}

const ownName = /^([a-z0-9-]+)\.(?:private\.|privatelink\.)?(?:postgres|mysql)\.database\.azure\.com$/
/** Any other name, or an address, may lead there by a proxy, a private zone or a virtual endpoint. */
function isOfAnother(asked: string, host: string): boolean {
  const [, name] = ownName.exec(asked) ?? []
  return name !== undefined && host !== '' && name !== host.split('.')[0]
}
