import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import type { Engine } from '../control-plane/value.js'
import { failPolicy } from '../sql/errors.js'

/** Who answers, as a sentence names it. */
export const answerer = 'Azure Resource Manager'

/** In any case of letters: https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/resource-name-rules */
const idForm =
  /^\/subscriptions\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/resourceGroups\/([\p{L}\p{N}_.()-]{0,89}[\p{L}\p{N}_()-])\/providers\/Microsoft\.DBfor(PostgreSQL|MySQL)\/flexibleServers\/([a-z0-9][a-z0-9-]{1,61}[a-z0-9])$/iu
const shape = '/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.DBforPostgreSQL/flexibleServers/NAME'
export const resourceKey: PolicyKey = {
  name: 'resource-id',
  help: `the id of the server: ${shape}, or Microsoft.DBforMySQL`,
  check: (value) => (idForm.test(value) ? undefined : `must be ${shape}, or Microsoft.DBforMySQL`),
}

/** Which server is meant. */
export interface Place {
  readonly subscription: string
  readonly group: string
  /** The resource provider: Microsoft.DBforPostgreSQL. */
  readonly provider: `Microsoft.DBfor${'PostgreSQL' | 'MySQL'}`
  readonly name: string
}
/** Its id, as messages show it. */
export const shownPlace = ({ subscription, group, provider, name }: Place): string =>
  `/subscriptions/${subscription}/resourceGroups/${group}/providers/${provider}/flexibleServers/${name}`
export const engineOfPlace = ({ provider }: Place): Engine => (provider === 'Microsoft.DBforMySQL' ? 'mysql' : 'postgres')
/** The words of the command line of the platform. */
export const commandFor = (place: Place): string => `az ${engineOfPlace(place)} flexible-server`

/** bad_policy where the policy names none. */
export function placeIn(policy: Policy): Place {
  const [, subscription, group, engine, name] = idForm.exec(policyText(policy, resourceKey) ?? '') ?? []
  if (subscription !== undefined && group !== undefined && engine !== undefined && name !== undefined)
    return { subscription, group, provider: `Microsoft.DBfor${engine.toLowerCase() === 'mysql' ? 'MySQL' : 'PostgreSQL'}`, name }
  const next = `Set keyturn-resource-id to ${shape}; az postgres flexible-server show (or az mysql) shows it as id.`
  return failPolicy('resource-id', 'does not name the server', next)
}
