import { codeOf } from '../core/errors.js'
import type { Administrator } from '../core/ports/rotator.js'
import type { SecretRef } from '../core/ports/words.js'
import { isSameSite, siteOf } from '../core/shapes/site.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { resolveAdmin } from '../rotators/registry.js'

/** Reads an administrator's secret; where it is in AWS and names another host than the rotated secret, or none, RDS is asked what it is. */
export function adminReader(
  read: (text: string) => Promise<Administrator>,
  tags: (ref: SecretRef) => Promise<Readonly<Record<string, string>>>,
): Deps['readAdmin'] {
  return async (text, rotated) => {
    const admin = await read(text)
    const value = admin.ref.store === 'aws' ? await rotated() : undefined
    const site = siteOf(admin.value)
    if (value === undefined || isSameSite(site, siteOf(value))) return admin
    try {
      return await resolveAdmin(admin, value, () => tags(admin.ref))
    } catch (cause) {
      if (codeOf(cause) !== 'denied' || site?.host === undefined) throw cause
      return admin // nobody may say that the two hosts are one database: then they are not
    }
  }
}
