import { createHash } from 'node:crypto'
import { kindOfToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { OpenRotation, SecretState, Staged, VersionInfo } from '../../core/ports/store.js'
import type { Token, VersionId } from '../../core/ports/words.js'
import { type Description, isDriven } from './description.js'
import { holderOf, label, type Stages } from './labels.js'
import { journalOf, notesOf, policyOf } from './tags.js'

/** What is known beside the description. DescribeSecret names neither dates nor whether a version has a value. */
export interface Known {
  readonly currentCreatedAt?: number
  readonly pendingHasValue: boolean
}

const infoOf = (id: VersionId, createdAt: number, hasValue = true): VersionInfo => ({
  id,
  createdAt,
  hasValue,
  ours: id as string as Token,
})

interface Publication {
  readonly publishedAt: number
  readonly returned: boolean
}

/**
 * When current became current. The service says when a rotation ended, and when each version was made. A version made by hand is current from then on.
 * A note says when a value that was staged long before was published. A version older than the one announced last was current before and was moved
 * back by hand: that is another publication, after the announced one. Where nothing is known, the last change of any kind counts, which is never too
 * early.
 */
function publicationOf({ current, tags, rotatedAt, changedAt }: Description, createdAt: number | undefined): Publication {
  const { announced, published } = notesOf(tags) ?? {}
  if (announced !== undefined && announced.version === current)
    return { publishedAt: announced.publishedAt, returned: announced.returned === true }
  if (published !== undefined && published.version === current) return { publishedAt: published.at, returned: false }
  if (createdAt === undefined) return { publishedAt: changedAt, returned: false }
  const made = rotatedAt !== undefined && rotatedAt >= createdAt ? rotatedAt : createdAt
  const returned = announced !== undefined && createdAt < announced.publishedAt
  return { publishedAt: returned ? Math.max(made, announced.publishedAt + 1) : made, returned }
}

/** The token of a version that is ours, as far as anybody can tell: its id is the token that made it. */
export function stateOf(description: Description, known: Known): SecretState {
  const { ref, stages, tags, current, previous, pending, native } = description
  const { publishedAt, returned } = publicationOf(description, known.currentCreatedAt)
  const now = current === undefined ? undefined : infoOf(current, known.currentCreatedAt ?? publishedAt)
  const base = current ?? null
  const loose = (holderOf(stages, label.staged) ?? undefined) as VersionId | undefined
  const staged = (id: VersionId, hasValue: boolean): Staged => ({
    ...infoOf(id, description.changedAt, hasValue),
    token: id as string as Token,
    base,
    kind: kindOfToken(id) ?? 'rotate',
  })
  const named = pending !== undefined && pending !== current ? staged(pending, known.pendingHasValue) : undefined
  const isOurs = named !== undefined && (!isDriven(description) || kindOfToken(named.id) !== undefined)
  const rotation = isOurs && named.hasValue ? openOf(named) : undefined
  const isLoose = loose !== undefined && ![pending, current, previous].includes(loose)
  const code = holderOf(stages, label.stuck) === undefined ? {} : { code: 'stuck' as const }
  return {
    ref,
    ...optional('current', now && returned ? { ...now, returned } : now),
    ...optional('previous', previous === undefined ? undefined : infoOf(previous, publishedAt)),
    publishedAt,
    ...optional('pending', named),
    loose: isLoose ? [staged(loose, true)] : [],
    drivenBy: isDriven(description) ? 'service' : 'engine',
    policy: policyOf(tags),
    journal: journalOf(notesOf(tags), { ...optional('rotation', rotation), ...code }),
    rev: revOf(stages, tags),
    native,
  }
}

/** The open rotation of our own engine. No journal shows it; its mark does. Nobody holds a lease. */
const openOf = ({ token, base, id, kind }: Staged): OpenRotation => ({
  token,
  kind: kind ?? 'rotate',
  base,
  staged: id,
  holder: '',
  attempt: 0,
  leaseUntil: 0,
  refusals: 0,
})

/** The revision of labels and our own tags. A note checks it right before it writes, because the service has no conditional write. */
export function revOf(stages: Stages, tags: Description['tags']): string {
  const known = [...stages].map(([id, names]) => [id, [...names].sort()]).sort()
  const ours = Object.entries(tags)
    .filter(([key]) => key.startsWith('keyturn-'))
    .sort()
  return createHash('sha256')
    .update(JSON.stringify([known, ours]))
    .digest('hex')
    .slice(0, 16)
}
