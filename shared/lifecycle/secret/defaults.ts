import { parseDuration, type Settings } from '../../core/policy/index.js'
import type { AnyRotator, CredentialType } from '../../core/ports/rotator.js'
import type { SecretView } from '../../core/ports/store.js'
import type { Policy } from '../../core/ports/words.js'

/** How often a credential is rotated where nobody says it and no platform has a schedule for it. */
const everyByType: Readonly<Partial<Record<CredentialType, string>>> = {
  database: '90d',
  'api-key': '30d',
  oauth: '30d',
  jwt: '180d',
  symmetric: '180d',
}

/** Some rotators make credentials of several types. */
export const typeOf = (rotator: AnyRotator, policy: Policy): CredentialType => rotator.typeOf?.(policy) ?? rotator.about.type

/**
 * With the schedule of its type where it has none. That begins with the first rotation, which somebody starts: whatever is taken over is not
 * rotated on the next sweep because it is old.
 */
export function scheduled(settings: Settings, type: CredentialType, { native, current, drivenBy }: SecretView): Settings {
  const everyMs = parseDuration(everyByType[type] ?? '')
  const platform = (native !== undefined && native.does !== 'notifies') || drivenBy === 'service' // one that only notifies has no schedule to follow
  const own = settings.everyMs !== undefined || platform
  if (own || everyMs === undefined || current?.ours === undefined || everyMs <= settings.graceMs) return settings
  return { ...settings, everyMs }
}
