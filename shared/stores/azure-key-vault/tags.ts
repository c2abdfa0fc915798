import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Claim } from '../../core/ports/store.js'
import type { Policy, RotationRequest, Token, VersionId } from '../../core/ports/words.js'

/** Tags of a version; the service keeps 15, of 512 characters each. */
export type Tags = Readonly<Record<string, string>>
const tagsMax = 15
const charactersMax = 512

const ours = {
  token: 'keyturn-token',
  base: 'keyturn-base',
  at: 'keyturn-at',
  policy: 'keyturn-policy',
  policyMore: 'keyturn-policy-2',
} as const
const ourKeys: readonly string[] = Object.values(ours)
/** Of a staged value, in the place of the last three. */
const staging = { role: 'keyturn-role', kind: 'keyturn-kind', of: 'keyturn-of' } as const

/** Those of others, which a new version takes over as they are. */
export const foreignOf = (tags: Tags): Tags => Object.fromEntries(Object.entries(tags).filter(([key]) => !ourKeys.includes(key)))

/** Checks that ours have room beside those of others. too_large. */
export function assertTagsFit(shown: string, tags: Tags): void {
  const count = Object.keys(foreignOf(tags)).length
  const max = tagsMax - ourKeys.length
  if (count <= max) return
  throw new RotationError('too_large', `${shown} has ${count} tags of others; a version has room for ${max} beside ours.`, {
    field: 'tags',
    next: `Remove ${count - max} of them from its newest version.`,
  })
}

/** What a published version says of itself. */
export interface Published {
  readonly token?: Token
  readonly base?: VersionId
  /** When its writer sent it, by that one's clock. */
  readonly at?: number
}
/** Reads it. Tags that somebody edited say nothing. */
export function publishedOf(tags: Tags): Published {
  const [token, base, at] = [tags[ours.token], tags[ours.base], tags[ours.at]]
  if (token === undefined || token === '') return {}
  return {
    token: token as Token,
    ...optional('base', base === undefined || base === '' ? undefined : (base as VersionId)),
    ...optional('at', /^\d{13}$/.test(at ?? '') ? Number(at) : undefined),
  }
}
/**
 * The tags of a version that a rotation publishes. Somebody may have added tags since there was room for all of ours: then those that only save time
 * stay away, because the value is set at the target by now. too_large where not even token and base have room.
 */
export function publishedTags(shown: string, tags: Tags, { token, base }: Claim, at: number, policy: Policy): Tags {
  const foreign = foreignOf(tags)
  const room = tagsMax - Object.keys(foreign).length
  const needed: Tags = { [ours.token]: token, ...optional(ours.base, base ?? undefined) }
  if (room < Object.keys(needed).length) throw lateError(shown, Object.keys(needed).length - room)
  const groups: readonly Tags[] = [{ [ours.at]: String(at) }, policyTags(policy)]
  const fits = (mine: Tags, more: Tags): Tags => (Object.keys({ ...mine, ...more }).length <= room ? { ...mine, ...more } : mine)
  return { ...foreign, ...groups.reduce(fits, needed) }
}
const lateError = (shown: string, count: number): RotationError =>
  new RotationError('too_large', `The newest version of ${shown} got more tags than leave room for ours, after the new value was set.`, {
    field: 'tags',
    next: `Remove ${count} of them; keyturn rotate ${shown} --resume then publishes that value. What consumers read may be refused until then.`,
  })

/** The tags of a version with another policy, and everything else as it is. */
export function withPolicy(tags: Tags, policy: Policy): Tags {
  const { [ours.policy]: _, [ours.policyMore]: __, ...rest } = tags
  return { ...rest, ...policyTags(policy) }
}
/** Takes everything of ours away. */
export const released = (tags: Tags): Tags => foreignOf(tags)

const prefix = 'keyturn-'
/** The copy of the policy: the one that counts is kept with the journal. too_large for more than two tags can have. */
export function policyTags(policy: Policy): Tags {
  const text = Object.entries(policy)
    .map(([key, value]) => `${key.slice(prefix.length)}=${value}`)
    .join(';')
  if (text.length > 2 * charactersMax) {
    throw new RotationError('too_large', `The policy has ${text.length} characters; two tags have room for ${2 * charactersMax}.`, {
      field: 'policy',
      next: 'Shorten it: keep what many secrets share in the configuration.',
    })
  }
  if (text === '') return {}
  return { [ours.policy]: text.slice(0, charactersMax), ...optional(ours.policyMore, text.slice(charactersMax) || undefined) }
}
/** Reads that copy. */
export function taggedPolicy(tags: Tags): Policy {
  const text = `${tags[ours.policy] ?? ''}${tags[ours.policyMore] ?? ''}`
  const pairs = text.split(';').flatMap((pair) => {
    const [, key, value] = /^([a-z][a-z0-9-]*)=(.*)$/.exec(pair) ?? []
    return key === undefined || value === undefined ? [] : [[`${prefix}${key}`, value] as const]
  })
  return Object.fromEntries(pairs)
}

/** What is kept with a staged value. */
export interface Header {
  readonly token: Token
  readonly base: VersionId | null
  readonly kind?: RotationRequest['kind']
}
/** The tags of a staged value. `of`: the key of its secret. */
export const stagedTags = ({ token, base, kind }: Claim, of: string): Tags => ({
  ...placeTags(of),
  [ours.token]: token,
  ...optional(ours.base, base ?? undefined),
  [staging.kind]: kind,
})
/** The tags of the version that makes a staging place. */
export const placeTags = (of: string): Tags => ({ [staging.role]: 'staging', [staging.of]: of })
/** Whether a version is of a staging place. */
export const isPlace = (tags: Tags): boolean => tags[staging.role] === 'staging'
/** The key of the secret whose place it is. */
export const placeOf = (tags: Tags): string | undefined => tags[staging.of]

const kinds: readonly RotationRequest['kind'][] = ['rotate', 'resume', 'rollback', 'put', 'emergency']
/** Reads whose a staged value is; undefined for one that nobody staged: the version that makes the place. */
export function headerOf(tags: Tags): Header | undefined {
  const { token, base } = publishedOf(tags)
  if (token === undefined) return undefined
  return {
    token,
    base: base ?? null,
    ...optional(
      'kind',
      kinds.find((kind) => kind === tags[staging.kind]),
    ),
  }
}
