import { parseDuration, type Settings } from '../../core/policy/index.js'
import type { AnyRotator, CredentialType } from '../../core/ports/rotator.js'
import type { SecretView } from '../../core/ports/store.js'
import type { Policy } from '../../core/ports/words.js'

/** How often a credential is rotated where neither the policy nor a platform has a schedule for it. */
const everyByType: Readonly<Partial<Record<CredentialType, string>>> = {
  database: '90d',
  'api-key': '30d',
  oauth: '30d',
  jwt: '180d',
  symmetric: '180d',
}

/** The type of the credential. Some rotators make credentials of several types. */
export const typeOf = (rotator: AnyRotator, policy: Policy): CredentialType => rotator.typeOf?.(policy) ?? rotator.about.type

/** Whether a platform has a schedule for the secret. A platform that only notifies has none to follow. */
export function isOnPlatformSchedule({ native, drivenBy }: Pick<SecretView, 'native' | 'drivenBy'>): boolean {
  return drivenBy === 'service' || (native !== undefined && native.does !== 'notifies')
}

/**
 * The settings, with the schedule of the secret's type where the secret has none. That schedule begins with the first rotation, which somebody
 * starts: an adopted secret is not rotated on the next sweep because it is old.
 */
export function scheduled(settings: Settings, type: CredentialType, state: SecretView): Settings {
  const everyMs = parseDuration(everyByType[type] ?? '')
  if (settings.everyMs !== undefined || isOnPlatformSchedule(state)) return settings
  if (everyMs === undefined || state.current?.ours === undefined) return settings
  return everyMs <= settings.graceMs ? settings : { ...settings, everyMs }
}
