import { optional } from '../../../core/optional.js'
import type { AnyRotator, Context, Rotator, Sessions } from '../../../core/ports/rotator.js'
import type { CredentialId, Policy } from '../../../core/ports/words.js'
import type { SecretText } from '../../../core/secret-text.js'
import { wholeOf } from '../../../core/whole.js'
import { keysOf, namedFor, partsKind } from './policy.js'
import { parseView, viewOf, writeView } from './view.js'

/** One credential among those of a secret. */
export interface Part {
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

/** null: without limit, and without a note. */
const slotsOf = ({ rotator, policy }: Part): number | null => rotator.traits.slots(policy)
/** Its outgoing credential stays valid and takes a note. */
export const keeps = (part: Part): boolean => ![1, null].includes(slotsOf(part))
const of = (pieces: Pieces, { field }: Part): unknown => pieces.get(field)?.value

/** The same context as a part's own rotator knows it. */
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
const strip = (id: CredentialId, { field }: Part): CredentialId | undefined =>
  id.startsWith(`${field} `) ? (id.slice(field.length + 1) as CredentialId) : undefined

/** `outside`: the one part with a target. `only`: the parts that a rotation changes. */
export function composed(parts: readonly Part[], outside: Part | undefined, only: readonly string[] | undefined): AnyRotator {
  const chosen = parts.filter(({ field }) => only === undefined || only.includes(field))
  /** What did not change at the outside part needs no login. */
  const changes = ({ current }: Context<Pieces>, pieces: Pieces): Part | undefined => {
    const [before, after] = [current, pieces].map((each) => each?.get(outside?.field ?? '')?.view?.reveal())
    return before !== undefined && before === after ? undefined : outside
  }
  const rotator: Rotator<Pieces> = wholeOf<Rotator<Pieces>>({
    about: aboutOf(parts, outside),
    traits: traitsOf(parts, outside),
    ...readingOf(parts, outside),
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
    verify: async (context, pending) => {
      const asked = parts.filter((part) => part !== outside || part === changes(context, pending))
      return (await Promise.all(asked.map((part) => part.rotator.verify(within(context, part), of(pending, part))))).flat()
    },
    retire: async (context, id) => {
      const inner = outside && strip(id, outside)
      return inner ? outside.rotator.retire(within(context, outside), inner) : { done: true }
    },
    tooEarly: (context) => whyTooEarly(chosen, (part) => part.rotator.tooEarly?.(within(context, part))),
    sessions: outside?.rotator.sessions && sessionsOf(outside, outside.rotator.sessions),
    // What has an issuer or older keys needs a secret of its own; digests are companions of a whole value.
    issuer: undefined,
    older: undefined,
    digests: undefined,
    classify: (cause) => (outside ?? parts[0])?.rotator.classify(cause) ?? 'internal',
  })
  return rotator as AnyRotator
}

const typeOfFirst = (part: Part | undefined) => part?.rotator.typeOf?.(part.policy) ?? part?.rotator.about.type ?? 'other'

type Reading = 'typeOf' | 'parse' | 'render' | 'identify' | 'identities' | 'restore' | 'publicHalf'
/** What is read from a value, or made of one. */
function readingOf(parts: readonly Part[], outside: Part | undefined): { readonly [K in Reading]: Rotator<Pieces>[K] } {
  const idsOf = (pieces: Pieces): readonly CredentialId[] =>
    [...(outside ? [outside] : []), ...parts.filter((part) => part !== outside && slotsOf(part) !== null)].map(
      (part) => `${part.field} ${part.rotator.identify(of(pieces, part))}` as CredentialId,
    )
  return {
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
    publicHalf: publicHalfOf(parts),
  }
}

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
function publicHalfOf(parts: readonly Part[]): Rotator<Pieces>['publicHalf'] {
  const part = parts.find(({ rotator }) => rotator.publicHalf !== undefined)
  return part?.rotator.publicHalf && { set: (pieces, _, at) => part.rotator.publicHalf?.set(of(pieces, part), part.policy, at) }
}

/** What the outside part's target can tell and end, by the id that the part's own rotator knows. */
const sessionsOf = (outside: Part, sessions: Sessions<unknown>): Sessions<Pieces> =>
  wholeOf<Sessions<Pieces>>({
    usage: async (context, id) => {
      const inner = strip(id, outside)
      return inner ? sessions.usage(within(context, outside), inner) : { inUse: 'unknown', evidence: 'nobody outside knows it' }
    },
    end: async (context, id) => {
      const inner = strip(id, outside)
      if (inner) await sessions.end(within(context, outside), inner)
    },
    endOnRetire: () => sessions.endOnRetire(outside.policy),
  })

function traitsOf(parts: readonly Part[], outside: Part | undefined): AnyRotator['traits'] {
  const slots = parts.filter(keeps).flatMap((part) => slotsOf(part) ?? [])
  const ways = parts.map(({ rotator, policy }) => rotator.traits.rollback(policy))
  return {
    outside: outside !== undefined,
    // What any of them keeps has to be seen out before the next publication, which would change them all.
    slots: () => (slots.length === 0 ? 1 : Math.min(...slots)),
    propagates: outside?.rotator.traits.propagates ?? false,
    ...optional('asynchronous', outside?.rotator.traits.asynchronous),
    rollback: () => (['none', 'reapply'] as const).find((way) => ways.includes(way)) ?? 'publish',
  }
}
