import { RotationError } from '../../../core/errors.js'
import { prefix } from '../../../core/policy/index.js'
import type { AnyRotator } from '../../../core/ports/rotator.js'
import type { Policy } from '../../../core/ports/words.js'
import { composed, keeps, type Part } from './composed.js'
import { assertWhole, failParts, parseParts, policyFor } from './policy.js'

/** The fields of one secret that are parts, and one rotator for all of them. */
export interface Composed {
  readonly fields: readonly string[]
  /** `only`: those that a rotation changes; bad_event for one that there is not. */
  readonly rotator: (only?: readonly string[]) => AnyRotator
}

/** Credentials that were superseded and are still in the value: a store keeps a note of at most three. */
const keptMax = 3
const alone = 'Move it to a secret of its own.'

/**
 * One secret with several credentials, as one rotator: each part is parsed, made and tested by its own, and one publication changes all of them, or
 * some. At most one has a target outside; every field that is no part, and repeats none, stays byte for byte.
 */
export async function composeParts(policy: Policy, load: (kind: string) => Promise<AnyRotator>): Promise<Composed> {
  const pairs = parseParts(policy[`${prefix}parts`] ?? '')
  const fields = pairs.map(([field]) => field)
  assertWhole(policy, fields)
  const kept = fields.find((field) => fields.some((other) => [`${other}_previous`, `${other}_id`].includes(field)))
  if (kept !== undefined) failParts(`names ${kept}, where another part keeps what it had before`, alone)
  const parts: Part[] = []
  for (const [field, kind] of pairs) {
    const rotator = await load(kind)
    const own = policy[`${prefix}${field}-every`] !== undefined
    parts.push({ field, rotator, own, policy: policyFor(policy, field, rotator) })
  }
  const outside = parts.filter(({ rotator }) => rotator.traits.outside)
  if (outside.length > 1) failParts(`has more than one part with a target outside: ${outside.map(({ field }) => field).join(', ')}`, alone)
  const unfit = parts.find(
    ({ rotator: { issuer, older, traits } }) => issuer !== undefined || older !== undefined || (!traits.outside && !traits.fitsBeside),
  )
  if (unfit) failParts(`has ${unfit.field}=${unfit.rotator.about.kind}, which needs a secret of its own`, alone)
  // Going back with a login would bring back a key that verifiers may not know, and what the target took must not hang on that.
  const signing = parts.find(({ rotator }) => rotator.publicHalf !== undefined)
  const [target] = outside
  if (signing && target)
    failParts(`has ${signing.field}=${signing.rotator.about.kind} beside ${target.field}, which has a target outside`, alone)
  const sets = parts.filter(({ rotator }) => rotator.publicHalf !== undefined)
  if (sets.length > 1) failParts(`has more than one part with a public set: ${sets.map(({ field }) => field).join(', ')}`, alone)
  if (parts.filter(keeps).length > keptMax) failParts(`has more than ${keptMax} parts that keep their previous credential`, alone)
  const rotator = (only?: readonly string[]): AnyRotator => {
    const unknown = only?.find((field) => !fields.includes(field))
    if (unknown !== undefined) throw unknownPartError(unknown, fields)
    return composed(parts, outside[0], only)
  }
  return { fields, rotator }
}
/** Makes a bad_event error that names the parts that there are. */
export const unknownPartError = (part: string, fields: readonly string[]): RotationError =>
  new RotationError('bad_event', `The secret has no part ${part}.`, {
    field: 'ref',
    next: fields.length === 0 ? 'It has no parts at all: leave #part away.' : `Its parts are ${fields.join(', ')}.`,
  })
