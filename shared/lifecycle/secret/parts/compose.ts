import { RotationError } from '../../../core/errors.js'
import { prefix } from '../../../core/policy/index.js'
import type { AnyRotator } from '../../../core/ports/rotator.js'
import type { Policy } from '../../../core/ports/words.js'
import { composed, keeps, type Part } from './composed.js'
import { assertWhole, failParts, parseParts, policyFor } from './policy.js'

/** The fields of one secret that are parts, and one rotator for all of them. */
export interface Composed {
  readonly fields: readonly string[]
  /** `only`: the parts that a rotation changes; bad_event for a part that does not exist. */
  readonly rotator: (only?: readonly string[]) => AnyRotator
}

/** A store keeps notes of at most three credentials that were superseded and are still in the value. */
const keptMax = 3
const alone = 'Move it to a secret of its own.'

/**
 * One secret with several credentials, as one rotator. Each part is parsed, made and tested by its own rotator, and one publication changes all of
 * them, or some. At most one part has a target outside. Every field that is not a part, and repeats none, stays byte for byte.
 */
export async function composeParts(policy: Policy, load: (kind: string) => Promise<AnyRotator>): Promise<Composed> {
  const pairs = parseParts(policy[`${prefix}parts`] ?? '')
  const fields = pairs.map(([field]) => field)
  assertWhole(policy, fields)
  const taken = fields.flatMap((other) => [`${other}_previous`, `${other}_id`])
  const kept = fields.find((field) => taken.includes(field))
  if (kept !== undefined) failParts(`names ${kept}, where another part keeps its previous credential`, alone)
  const parts: Part[] = []
  for (const [field, kind] of pairs) {
    const rotator = await load(kind)
    const own = policy[`${prefix}${field}-every`] !== undefined
    parts.push({ field, rotator, own, policy: policyFor(policy, field, rotator) })
  }
  const outside = assertFitTogether(parts)
  const rotator = (only?: readonly string[]): AnyRotator => {
    const unknown = only?.find((field) => !fields.includes(field))
    if (unknown !== undefined) throw unknownPartError(unknown, fields)
    return composed(parts, outside, only)
  }
  return { fields, rotator }
}

/** bad_policy for parts that cannot be in one secret. Returns the one that has a target outside. */
function assertFitTogether(parts: readonly Part[]): Part | undefined {
  const outside = parts.filter(({ rotator }) => rotator.traits.outside)
  if (outside.length > 1) failParts(`has more than one part with a target outside: ${namesOf(outside)}`, alone)
  const unfit = parts.find(({ rotator }) => !isFit(rotator))
  if (unfit) failParts(`has ${shownOf(unfit)}, which needs a secret of its own`, alone)
  const sets = parts.filter(({ rotator }) => rotator.publicHalf !== undefined)
  const [signing] = sets
  const [target] = outside
  // A rollback of the login would bring back a key that verifiers may not know, and what the target took must not depend on that.
  if (signing && target) failParts(`has ${shownOf(signing)} beside ${target.field}, which has a target outside`, alone)
  if (sets.length > 1) failParts(`has more than one part with a public set: ${namesOf(sets)}`, alone)
  if (parts.filter(keeps).length > keptMax) failParts(`has more than ${keptMax} parts that keep their previous credential`, alone)
  return target
}

const namesOf = (parts: readonly Part[]): string => parts.map(({ field }) => field).join(', ')
const shownOf = ({ field, rotator }: Part): string => `${field}=${rotator.about.kind}`

function isFit({ issuer, older, traits }: AnyRotator): boolean {
  if (issuer !== undefined || older !== undefined) return false
  return traits.outside || traits.fitsBeside === true
}

/** Makes a bad_event error that names the parts of the secret. */
export const unknownPartError = (part: string, fields: readonly string[]): RotationError =>
  new RotationError('bad_event', `The secret has no part ${part}.`, {
    field: 'ref',
    next: fields.length === 0 ? 'It has no parts at all: omit #part.' : `Its parts are ${fields.join(', ')}.`,
  })
