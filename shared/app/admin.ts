import { codeOf } from '../core/errors.js'
import type { Administrator } from '../core/ports/rotator.js'
import type { SecretRef } from '../core/ports/words.js'
import type { SecretText } from '../core/secret-text.js'
import { isSameSite, type Site, siteOf } from '../core/shapes/site.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { hostsFor } from '../rotators/registry.js'

/**
 * Reads an administrator's secret. If it names no host, or another one than the rotated secret, the platform of its store is asked which database it
 * is. Without such a platform the rotated value is not read. If the platform may not be asked, a secret that names its host stays as it is.
 */
export function adminReader(
  read: (text: string) => Promise<Administrator>,
  tags: (ref: SecretRef) => Promise<Readonly<Record<string, string>>>,
): Deps['readAdmin'] {
  return async (text, rotated) => {
    const admin = await read(text)
    const hosts = hostsFor(admin.ref.store)
    const value = hosts && (await rotated())
    const site = siteOf(admin.value)
    if (hosts === undefined || value === undefined) return admin
    const theirs = siteOrNot(value)
    if (theirs === 'unreadable' || isSameSite(site, theirs)) return admin
    try {
      return await hosts.resolve(admin, value, () => tags(admin.ref))
    } catch (cause) {
      if (codeOf(cause) !== 'denied' || site?.host === undefined) throw cause
      return admin // nobody can confirm that the two hosts are one database: then they are not
    }
  }
}

/** A put replaces a value that cannot be read, and must not fail on it. What needs the value reads it again and says what is wrong. */
function siteOrNot(value: SecretText): Site | undefined | 'unreadable' {
  try {
    return siteOf(value)
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return 'unreadable'
    throw cause
  }
}

/** For a function: its administrators are in the one store that it has. */
export const adminReaderOf = (store: {
  readCurrent(ref: string): Promise<Administrator>
  tags(ref: SecretRef): Promise<Readonly<Record<string, string>>>
}): Deps['readAdmin'] =>
  adminReader(
    (ref) => store.readCurrent(ref),
    (ref) => store.tags(ref),
  )
