import { RotationError } from '../../../core/errors.js'
import { optional } from '../../../core/optional.js'
import { prefix } from '../../../core/policy/index.js'
import type { AnyRotator, Context, Rotator } from '../../../core/ports/rotator.js'
import type { CredentialId, Policy } from '../../../core/ports/words.js'
import type { SecretText } from '../../../core/secret-text.js'
import { assertWhole, keysOf, namedFor, parseParts, partsKind, policyFor, wrong } from './policy.js'
import { parseView, viewOf, writeView } from './view.js'

interface Part {
  readonly field: string
  readonly rotator: AnyRotator
  readonly policy: Policy
  /** It has a schedule of its own. */
  readonly own: boolean
}
/** By field; of the outside one also what it was read from, to see whether it changes at all. */
interface Piece {
  readonly value: unknown
  readonly view?: SecretText
}
type Pieces = ReadonlyMap<string, Piece>

export interface Composed {
  readonly fields: readonly string[]
  /** `only`: those that a rotation changes; bad_event for one that there is not. */
  readonly rotator: (only?: readonly string[]) => AnyRotator
}

/** Credentials that were superseded and are still in the value: a store keeps a note of at most three. */
const keptMax = 3
const alone = 'Move it to a secret of its own.'
/** Kinds that fit beside others: what they keep is a note each, or leaves by its time. A keyring has notes of its own for keys that may leave. */
const fitting = ['random', 'secret-list', 'jwt']

/**
 * One secret with several credentials, as one rotator: each part is parsed, made and tested by its own, and one publication changes all of them, or
 * some. At most one has a target outside; every field that is no part, and repeats none, stays byte for byte.
 */
export async function composeParts(policy: Policy, load: (kind: string) => Promise<AnyRotator>): Promise<Composed> {
  const pairs = parseParts(policy[`${prefix}parts`] ?? '')
  const fields = pairs.map(([field]) => field)
  assertWhole(policy, fields)
  const kept = fields.find((field) => fields.some((other) => [`${other}_previous`, `${other}_id`].includes(field)))
  if (kept !== undefined) wrong(`names ${kept}, where another part keeps what it had before`, alone)
  const parts: Part[] = []
  for (const [field, kind] of pairs) {
    const rotator = await load(kind)
    const own = policy[`${prefix}${field}-every`] !== undefined
    parts.push({ field, rotator, own, policy: policyFor(policy, field, rotator) })
  }
  const outside = parts.filter(({ rotator }) => rotator.traits.class !== 'F')
  if (outside.length > 1) wrong(`has more than one part with a target outside: ${outside.map(({ field }) => field).join(', ')}`, alone)
  const unfit = parts.find(({ rotator: { about, traits } }) => traits.mints || (traits.class === 'F' && !fitting.includes(about.kind)))
  if (unfit) wrong(`has ${unfit.field}=${unfit.rotator.about.kind}, which needs a secret of its own`, alone)
  // Going back with a login would bring back a key that verifiers may not know, and what the target took must not hang on that.
  const signing = parts.find(({ rotator }) => rotator.publicSet !== undefined)
  const [target] = outside
  if (signing && target)
    wrong(`has ${signing.field}=${signing.rotator.about.kind} beside ${target.field}, which has a target outside`, alone)
  const sets = parts.filter(({ rotator }) => rotator.publicSet !== undefined)
  if (sets.length > 1) wrong(`has more than one part with a public set: ${sets.map(({ field }) => field).join(', ')}`, alone)
  if (parts.filter(keeps).length > keptMax) wrong(`has more than ${keptMax} parts that keep their previous credential`, alone)
  const rotator = (only?: readonly string[]): AnyRotator => {
    const unknown = only?.find((field) => !fields.includes(field))
    if (unknown !== undefined) throw unknownPart(unknown, fields)
    return composed(parts, outside[0], only)
  }
  return { fields, rotator }
}
/** null: without limit, and without a note. */
const slotsOf = ({ rotator, policy }: Part): number | null => rotator.traits.slots(policy)
const keeps = (part: Part): boolean => ![1, null].includes(slotsOf(part))

export const unknownPart = (part: string, fields: readonly string[]): RotationError =>
  new RotationError('bad_event', `The secret has no part ${part}.`, {
    field: 'ref',
    next: fields.length === 0 ? 'It has no parts at all: leave #part away.' : `Its parts are ${fields.join(', ')}.`,
  })

function composed(parts: readonly Part[], outside: Part | undefined, only: readonly string[] | undefined): AnyRotator {
  const chosen = parts.filter(({ field }) => only === undefined || only.includes(field))
  const of = (pieces: Pieces, { field }: Part): unknown => pieces.get(field)?.value
  const idsOf = (pieces: Pieces): readonly CredentialId[] =>
    [...(outside ? [outside] : []), ...parts.filter((part) => part !== outside && slotsOf(part) !== null)].map(
      (part) => `${part.field} ${part.rotator.identify(of(pieces, part))}` as CredentialId,
    )
  const within = (context: Context<Pieces>, part: Part): Context<unknown> => ({
    ...context,
    policy: part.policy,
    live: context.live.flatMap((id) => strip(id, part) ?? []),
    current: context.current && of(context.current, part),
    previous: async () => {
      const pieces = await context.previous?.()
      return pieces && of(pieces, part)
    },
  })
  /** What did not change at the outside part needs no login. */
  const changes = ({ current }: Context<Pieces>, pieces: Pieces): Part | undefined => {
    const [before, after] = [current, pieces].map((each) => each?.get(outside?.field ?? '')?.view?.reveal())
    return before !== undefined && before === after ? undefined : outside
  }
  const rotator: Rotator<Pieces> = {
    about: aboutOf(parts, outside),
    traits: traitsOf(parts, outside),
    typeOf: () => typeOfFirst(outside ?? parts[0]),
    parse: (text) =>
      new Map(
        parts.map((part) => {
          if (part !== outside) return [part.field, { value: part.rotator.parse(text, part.policy) }]
          return [part.field, { value: parseView(text, part.field, part.rotator, part.policy), view: viewOf(text, part.field) }]
        }),
      ),
    render: (shape, next) =>
      parts.reduce(
        (text, part) =>
          part === outside ? writeView(text, part.field, part.rotator, of(next, part)) : part.rotator.render(text, of(next, part)),
        shape,
      ),
    identify: (pieces) => idsOf(pieces)[0] ?? ('none' as CredentialId),
    identities: idsOf,
    restore: (now, back) => restored(parts, now, back),
    check: (context, pending) => {
      for (const part of parts)
        namedFor(part.field, part.rotator, part.own, () => part.rotator.check(within(context, part), pending && of(pending, part)))
    },
    propose: async (context) => {
      const next = new Map(context.current)
      for (const part of chosen) next.set(part.field, { value: await part.rotator.propose(within(context, part)) })
      return next
    },
    apply: async (context, pending) => {
      const part = changes(context, pending)
      return part ? part.rotator.apply(within(context, part), of(pending, part)) : { done: true }
    },
    // What the target may have taken is its word alone; of what nobody outside knows each part says whether it may come back.
    accepted: async (context, value) => {
      for (const part of outside ? [outside] : parts)
        if (!(await part.rotator.accepted(within(context, part), of(value, part)))) return false
      return true
    },
    ...publicOf(parts),
    tooEarly: (context) => whyTooEarly(chosen, (part) => part.rotator.tooEarly?.(within(context, part))),
    verify: async (context, pending) => {
      const asked = parts.filter((part) => part !== outside || part === changes(context, pending))
      return (await Promise.all(asked.map((part) => part.rotator.verify(within(context, part), of(pending, part))))).flat()
    },
    ...endings(outside, within),
    classify: (cause) => (outside ?? parts[0])?.rotator.classify(cause) ?? 'internal',
  }
  return rotator as AnyRotator
}

const typeOfFirst = (part: Part | undefined) => part?.rotator.typeOf?.(part.policy) ?? part?.rotator.about.type ?? 'other'

/** Each part as its own rotator brings it back. */
const restored = (parts: readonly Part[], now: Pieces, back: Pieces): Pieces =>
  new Map(
    parts.map(({ field, rotator, policy }) => {
      const piece = back.get(field)
      return [field, { ...piece, value: rotator.restore?.(now.get(field)?.value, piece?.value, policy) ?? piece?.value }]
    }),
  )

const aboutOf = (parts: readonly Part[], outside: Part | undefined): AnyRotator['about'] => ({
  kind: partsKind,
  title: 'several credentials in one secret',
  type: (outside ?? parts[0])?.rotator.about.type ?? 'other',
  strategies: [],
  policy: parts.flatMap(({ field, rotator: inner }) => keysOf(field, inner)),
})

function whyTooEarly(chosen: readonly Part[], ask: (part: Part) => string | undefined): string | undefined {
  for (const part of chosen) {
    const why = ask(part)
    if (why !== undefined) return `${part.field}: ${why}`
  }
  return undefined
}

/** Of the one part whose public halves others have to know. */
function publicOf(parts: readonly Part[]): Pick<Rotator<Pieces>, 'publicSet'> {
  const part = parts.find(({ rotator }) => rotator.publicSet !== undefined)
  const { publicSet } = part?.rotator ?? {}
  return part && publicSet
    ? { publicSet: (pieces, _, at) => publicSet.call(part.rotator, pieces.get(part.field)?.value, part.policy, at) }
    : {}
}

/** What the outside part's target can tell and end, by the id that the part's own rotator knows. */
function endings(
  outside: Part | undefined,
  within: (context: Context<Pieces>, part: Part) => Context<unknown>,
): Pick<Rotator<Pieces>, 'usage' | 'endSessions' | 'retire'> {
  if (outside === undefined) return { retire: async () => ({ done: true }) }
  const { usage, endSessions } = outside.rotator
  const unseen = { inUse: 'unknown', evidence: 'nobody outside knows it' } as const
  return {
    retire: async (context, id) => {
      const inner = strip(id, outside)
      return inner ? outside.rotator.retire(within(context, outside), inner) : { done: true }
    },
    ...(usage
      ? {
          usage: async (context, id) => {
            const inner = strip(id, outside)
            return inner ? usage.call(outside.rotator, within(context, outside), inner) : unseen
          },
        }
      : {}),
    ...(endSessions
      ? {
          endSessions: async (context, id) => {
            const inner = strip(id, outside)
            if (inner) await endSessions.call(outside.rotator, within(context, outside), inner)
          },
        }
      : {}),
  }
}

const strip = (id: CredentialId, { field }: Part): CredentialId | undefined =>
  id.startsWith(`${field} `) ? (id.slice(field.length + 1) as CredentialId) : undefined

function traitsOf(parts: readonly Part[], outside: Part | undefined): AnyRotator['traits'] {
  const slots = parts.filter(keeps).flatMap((part) => slotsOf(part) ?? [])
  const ways = parts.map(({ rotator, policy }) => rotator.traits.rollback(policy))
  const { asynchronous, propagates = false, usage = 'none', needsAdmin = 'no' } = outside?.rotator.traits ?? {}
  return {
    class: outside?.rotator.traits.class ?? 'F',
    // What any of them keeps has to be seen out before the next publication, which would change them all.
    slots: () => (slots.length === 0 ? 1 : Math.min(...slots)),
    mints: false,
    propagates,
    ...optional('asynchronous', asynchronous),
    usage,
    needsAdmin,
    rollback: () => (['none', 'reapply'] as const).find((way) => ways.includes(way)) ?? 'publish',
  }
}
