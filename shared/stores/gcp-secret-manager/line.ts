import type { VersionInfo } from '../../core/ports/store.js'
import type { Found, Line } from '../../core/unfenced/line.js'
import { type Api, isAbsent, isUnreadable } from './api.js'
import type { SecretName } from './names.js'
import { idOf, markOf, numberOf } from './staged.js'
import type { Version } from './wire.js'

/** What anybody may see of a version. */
export const infoOf = ({ number, createdAt, isEnabled }: Version): VersionInfo => ({ id: idOf(number), createdAt, hasValue: isEnabled })

/** Reads all that is enabled, of a secret that is there. It may be hours old. */
export async function enabledOf(api: Api, name: SecretName): Promise<readonly Version[]> {
  const versions: Version[] = []
  for await (const version of api.versions(name, 'enabled')) versions.push(version)
  return versions
}

/** The payload of a version; undefined where it cannot be read any more, or was never there. */
export async function payloadBytes(api: Api, name: SecretName, number: number): Promise<Uint8Array | 'gone' | 'none'> {
  try {
    return (await api.access(name, number)).bytes
  } catch (cause) {
    if (isUnreadable(cause)) return 'gone'
    if (isAbsent(cause)) return 'none'
    throw cause
  }
}

/** The published versions as one call sees them. Each payload is read once, and only its digest is kept. */
export function lineOf(api: Api, name: SecretName, listed: readonly Version[]): Line {
  const looked = new Map<number, Promise<Found>>()
  const look = async (number: number): Promise<Found> => {
    const bytes = await payloadBytes(api, name, number)
    return typeof bytes === 'string' ? bytes : { mark: markOf(bytes) }
  }
  return {
    listed: listed.map(({ number }) => number),
    look: (number) => {
      const known = looked.get(number) ?? look(number)
      looked.set(number, known)
      return known
    },
    numberOf,
    infoOf: async (number) => infoOf(listed.find((one) => one.number === number) ?? (await api.version(name, number))),
  }
}

/** The versions behind a number, for who asks by number alone: no listing, which costs a call and may be old. `added`: what this process added. */
export const lineAfter = (api: Api, name: SecretName, number: number, added: readonly Version[]): Line => ({
  ...lineOf(api, name, added),
  listed: [number],
})
