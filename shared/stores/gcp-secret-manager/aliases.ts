import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { SecretState } from '../../core/ports/store.js'
import type { PolicyKey, SecretRef, VersionId } from '../../core/ports/words.js'
import { overtakenError } from '../../core/unfenced/errors.js'
import type { Api } from './api.js'
import { gcloudSecrets, type SecretName } from './names.js'
import { numberOf } from './staged.js'
import type { Secret } from './wire.js'

/** The aliases that are ours. Every other one is somebody else's. */
export const ourAliases = { current: 'current', previous: 'previous' } as const

/** All aliases of a secret, by name. */
export type Aliases = Secret['aliases']

/** The annotation that says by what consumers read. */
export const aliasesKey = 'keyturn-aliases'
export const aliasesRule: PolicyKey = {
  name: 'aliases',
  help: 'only: every consumer reads by the alias current, so that the alias alone says what is current',
  check: (value) => (value === 'only' ? undefined : 'must be only'),
}
export const goesByAlias = ({ annotations }: Pick<Secret, 'annotations'>): boolean => annotations[aliasesKey] === 'only'

/** The number that our alias names, where every consumer reads by it; undefined where consumers read the newest version. bad_config without the alias. */
export function pointedBy(secret: Secret, { shown }: SecretRef, name: SecretName): number | undefined {
  if (!goesByAlias(secret)) return undefined
  const number = secret.aliases[ourAliases.current]
  if (number !== undefined) return Number(number)
  throw new RotationError('bad_config', `${shown} says that consumers read by the alias ${ourAliases.current}, and has no such alias.`, {
    field: aliasesKey,
    next: `Make it name the version that works: ${gcloudSecrets('update', name, `--update-version-aliases=${ourAliases.current}=NUMBER`)}.`,
  })
}

/** bad_config where our alias does not name what is current as long as consumers read the newest version: a change of policy would publish another one. */
export function assertNamesCurrent({ shown }: SecretRef, name: SecretName, pointed: number, { current }: SecretState): void {
  if (current === undefined || numberOf(current.id) === pointed) return
  const what = `The alias ${ourAliases.current} of ${shown} names version ${pointed}, and version ${current.id} is current`
  throw new RotationError('bad_config', `${what}: to read by the alias would make another version current.`, {
    field: aliasesKey,
    next: `Make it name that version: ${gcloudSecrets('update', name, `--update-version-aliases=${ourAliases.current}=${current.id}`)}. Where the alias is right, disable the newer versions first.`,
  })
}

/** The number that our alias of the previous version names. */
export function pointedBeforeBy({ aliases }: Pick<Secret, 'aliases'>): number | undefined {
  const number = aliases[ourAliases.previous]
  return number === undefined ? undefined : Number(number)
}

/**
 * Moves both aliases in one write, and nobody else's. No write where they are right already, nor where a younger publication has moved them: a process
 * that slept moves nothing back. Where every consumer reads by the alias, it is moved only
 * from base: the answer is then what it names instead, if that is another version.
 */
export async function moveAliases(
  write: (secret: Secret, aliases: Aliases) => Promise<void>,
  secret: Secret,
  to: number,
  base: VersionId | null,
): Promise<number | undefined> {
  const { [ourAliases.current]: now, [ourAliases.previous]: before, ...others } = secret.aliases
  if (goesByAlias(secret) && now !== undefined && now !== String(to) && now !== base) return Number(now)
  if (now !== undefined && Number(now) > to) return undefined
  if (now === String(to) && before === (base ?? undefined)) return undefined
  const previous = optional(ourAliases.previous, base ?? undefined)
  await write(secret, { ...others, [ourAliases.current]: String(to), ...previous })
  return undefined
}

/**
 * A read of a secret may be old, its etag not: what was read holds at this moment where a conditional write that changes nothing succeeds. It takes the
 * labels, which nothing about a version can make invalid. conflict.
 */
export const confirmed = (api: Api, name: SecretName, { etag, labels }: Secret): Promise<Secret> => api.update(name, etag, { labels })

/** Makes sure that our alias names this version now. conflict where it does not, or where nobody can tell. */
export async function confirmPointer(api: Api, name: SecretName, ref: SecretRef, version: VersionId | undefined): Promise<void> {
  const secret = api.last(name) ?? (await api.get(name))
  if (pointedBy(secret, ref, name) !== (version === undefined ? undefined : numberOf(version))) throw overtakenError(ref)
  await confirmed(api, name, secret)
}

/**
 * Whether an older version than the one that was published last is the newest that can be read. What was published is asked by its number, which is never
 * old; where an alias says what is current, it may be.
 */
export function isPublishedGone({ journal, current, policy }: SecretState): boolean {
  const published = journal?.rotation?.published
  if (published === undefined || current === undefined || goesByAlias({ annotations: policy })) return false
  return (numberOf(published) ?? 0) > (numberOf(current.id) ?? 0)
}
