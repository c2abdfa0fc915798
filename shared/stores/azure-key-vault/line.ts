import { createHash } from 'node:crypto'
import { optional } from '../../core/optional.js'
import type { VersionInfo } from '../../core/ports/store.js'
import type { Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Line } from '../../core/unfenced/line.js'
import { type Intent, type Unordered, unorderedLine } from '../../core/unfenced/unordered.js'
import { isAbsent, isDisabled } from './errors.js'
import type { SecretName } from './names.js'
import { publishedOf } from './tags.js'
import type { Vaults } from './vault.js'
import type { Valued, Version } from './version.js'

/** A digest that tells copies of one write from others: somebody may write a value of their own under our tags. It stays in the process. */
export const markOf = (token: Token, value: SecretText): string => `${token} ${digestOf(value)}`
/** A digest of a value; it stays in the process. */
export const digestOf = (value: SecretText): string => createHash('sha256').update(value.reveal()).digest('hex')

/** What anybody may see of a version. A rotation says itself when it wrote one, to the millisecond, within the second that the service says. */
export function infoOf({ id, madeAt, isEnabled, tags }: Version): VersionInfo {
  const { token, at = madeAt } = publishedOf(tags)
  return { id, createdAt: Math.min(Math.max(at, madeAt), madeAt + 999), hasValue: isEnabled, ...optional('ours', token) }
}
const unorderedOf = (version: Version): Unordered => ({
  ...infoOf(version),
  madeAt: version.madeAt,
  ...optional('base', publishedOf(version.tags).base),
})

/** What was read of the versions of a secret. */
export interface Reading {
  readonly listed: readonly Version[]
  /** What a read without a version gets; undefined where that version is disabled. */
  readonly newest: Valued | undefined
  /** Versions that the line needs, whether they are listed or not. */
  readonly ids?: readonly (VersionId | null)[]
  readonly intent?: Intent | undefined
}

/** The published versions as one call sees them. A value is read only where its mark is asked for, and once. */
export async function lineOf(vaults: Vaults, name: SecretName, { listed, newest, ids = [], intent }: Reading): Promise<Line> {
  const versions = new Map(listed.map((version) => [version.id, version]))
  if (newest !== undefined) versions.set(newest.id, newest)
  const values = new Map(newest === undefined ? [] : [[newest.id, newest.value]])
  for (const id of ids) {
    const found = id === null || versions.has(id) ? undefined : await readableOf(vaults, name, id)
    if (found === undefined) continue
    versions.set(found.id, found)
    values.set(found.id, found.value)
  }
  return unorderedLine({
    versions: [...versions.values()].map(unorderedOf),
    ...optional('newest', newest?.id),
    ...optional('intent', intent),
    markOf: async ({ id, ours, hasValue }) => {
      if (!hasValue) return undefined
      if (ours === undefined) return `of nobody: ${id}`
      const value = values.get(id) ?? (await readableOf(vaults, name, id))?.value
      return value && markOf(ours, value)
    },
  })
}

/** A version that can be read; undefined for one that is disabled, or is not there. */
export async function readableOf(vaults: Vaults, name: SecretName, id: VersionId): Promise<Valued | undefined> {
  try {
    return await vaults.version(name, id)
  } catch (cause) {
    if (isAbsent(cause) || isDisabled(cause)) return undefined
    throw cause
  }
}

/** The newest version; undefined where it is disabled. CallError where the secret is not there. */
export async function newestOf(vaults: Vaults, name: SecretName): Promise<Valued | undefined> {
  try {
    return await vaults.newest(name)
  } catch (cause) {
    if (isDisabled(cause)) return undefined
    throw cause
  }
}
