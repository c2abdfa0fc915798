import { seeLogin } from '../../../core/login-seen.js'
import { optional } from '../../../core/optional.js'
import type { AnyRotator, Context, Rotator, Sessions } from '../../../core/ports/rotator.js'
import type { CredentialId, Policy } from '../../../core/ports/words.js'
import { proofOf } from '../../../core/proof.js'
import type { SecretText } from '../../../core/secret-text.js'
import { wholeOf } from '../../../core/whole.js'
import { keysOf, namedFor, ownNames, partsKind } from './policy.js'
import { parseView, viewOf, writeView } from './view.js'

/** One credential among those of a secret. */
export interface Part {
  readonly field: string
  readonly rotator: AnyRotator
  readonly policy: Policy
  /** It has a schedule of its own. */
  readonly own: boolean
}
/** The value of one part. */
interface Piece {
  readonly value: unknown
  /** Of the outside part: the text that it was read from, which shows whether the part changes at all. */
  readonly view?: SecretText
}
/** The parts of one value, by field. */
type Pieces = ReadonlyMap<string, Piece>

/** null: without limit, and without a note. */
const slotsOf = ({ rotator, policy }: Part): number | null => rotator.traits.slots(policy)
/** Whether its outgoing credential stays valid and takes a note. */
export const keeps = (part: Part): boolean => ![1, null].includes(slotsOf(part))
const of = (pieces: Pieces, { field }: Part): unknown => pieces.get(field)?.value

/** The context for a part's own rotator. */
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
  /** The outside part, if it changes: an unchanged one needs no login. */
  const changes = ({ current }: Context<Pieces>, pieces: Pieces): Part | undefined => {
    const textOf = (each: Pieces | undefined) => each?.get(outside?.field ?? '')?.view?.reveal()
    const before = textOf(current)
    return before !== undefined && before === textOf(pieces) ? undefined : outside
  }
  const rotator: Rotator<Pieces> = wholeOf<Rotator<Pieces>>({
    about: aboutOf(parts, outside),
    traits: traitsOf(parts, outside),
    ...readingOf(parts, outside),
    check: (context, pending) => {
      for (const part of parts) {
        const { field, rotator: inner, own } = part
        namedFor(field, inner, own, () => inner.check(within(context, part), pending && of(pending, part)))
      }
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
    // Only the target can say what it has taken. Where nobody outside knows the value, each part says whether it may come back.
    accepted: async (context, value) => {
      for (const part of outside ? [outside] : parts) {
        const isAccepted = await part.rotator.accepted(within(context, part), of(value, part))
        if (!isAccepted) return false
      }
      return true
    },
    verify: async (context, pending) => {
      const asked = parts.filter((part) => part !== outside || part === changes(context, pending))
      const verifyPart = (part: Part) => part.rotator.verify(within(context, part), of(pending, part))
      const differences = await Promise.all(asked.map(verifyPart))
      return differences.flat()
    },
    retire: async (context, id) => {
      const inner = outside && strip(id, outside)
      return inner ? outside.rotator.retire(within(context, outside), inner) : { done: true }
    },
    tooEarly: (context) => whyTooEarly(chosen, (part) => part.rotator.tooEarly?.(within(context, part))),
    sessions: outside?.rotator.sessions && sessionsOf(outside, outside.rotator.sessions),
    prepare: prepareOf(outside),
    login: outside && ((context, value) => seeLogin(outside.rotator, within(context, outside), of(value, outside))),
    // A credential with an issuer or older keys needs a secret of its own. Digests are companions of a whole value.
    issuer: undefined,
    older: undefined,
    digests: undefined,
    assertClear: undefined, // parse asks it of the part with a target
    classify: (cause) => (outside ?? parts[0])?.rotator.classify(cause) ?? 'internal',
  })
  return rotator as AnyRotator
}

function typeOfFirst(part: Part | undefined) {
  if (part === undefined) return 'other'
  const { rotator, policy } = part
  return rotator.typeOf?.(policy) ?? rotator.about.type
}

type Reading = 'outlook' | 'typeOf' | 'parse' | 'render' | 'identify' | 'identities' | 'restore' | 'publicHalf'
/** The methods that read a value, or make something of one. */
function readingOf(parts: readonly Part[], outside: Part | undefined): { readonly [K in Reading]: Rotator<Pieces>[K] } {
  const noted = parts.filter((part) => part !== outside && slotsOf(part) !== null)
  const named = outside ? [outside, ...noted] : noted
  const idsOf = (pieces: Pieces): readonly CredentialId[] =>
    named.map((part) => `${part.field} ${part.rotator.identify(of(pieces, part))}` as CredentialId)
  const render = (text: SecretText, part: Part, next: unknown): SecretText =>
    part === outside ? writeView(text, part.field, part.rotator, next) : part.rotator.render(text, next)
  return {
    typeOf: () => typeOfFirst(outside ?? parts[0]),
    parse: (text) => new Map(parts.map((part) => [part.field, pieceOf(text, part, part === outside)])),
    render: (shape, next) => parts.reduce((text, part) => render(text, part, of(next, part)), shape),
    identify: (pieces) => idsOf(pieces)[0] ?? ('none' as CredentialId),
    identities: idsOf,
    outlook: (pieces) => parts.flatMap((part) => outlookOf(part, of(pieces, part))).join('. '),
    restore: (now, back) => restored(parts, now, back),
    publicHalf: publicHalfOf(parts),
  }
}

function pieceOf(text: SecretText, { field, rotator, policy }: Part, isOutside: boolean): Piece {
  if (!isOutside) return { value: rotator.parse(text, policy) }
  return { value: parseView(text, field, rotator, policy), view: viewOf(text, field) }
}

function outlookOf({ field, rotator, policy }: Part, value: unknown): readonly string[] {
  const says = rotator.outlook?.(value, policy)
  return says === undefined ? [] : [ownNames(field, rotator.about, says)]
}

/** Each part as its own rotator restores it. */
function restored(parts: readonly Part[], now: Pieces, back: Pieces): Pieces {
  const restore = ({ field, rotator, policy }: Part): Piece => {
    const piece = back.get(field)
    const value = rotator.restore?.(now.get(field)?.value, piece?.value, policy)
    return { ...piece, value: value ?? piece?.value }
  }
  return new Map(parts.map((part) => [part.field, restore(part)]))
}

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

/** The public half of the one part that has one. */
function publicHalfOf(parts: readonly Part[]): Rotator<Pieces>['publicHalf'] {
  const part = parts.find(({ rotator }) => rotator.publicHalf !== undefined)
  const half = part?.rotator.publicHalf
  return half && { set: (pieces, _, at) => half.set(of(pieces, part), part.policy, at) }
}

/** Only what has a target has something to make there. */
const prepareOf = (outside: Part | undefined): Rotator<Pieces>['prepare'] =>
  outside?.rotator.prepare && (async (context) => outside.rotator.prepare?.(within(context, outside)))

/** The sessions of the outside part's target, by the id that the part's own rotator knows. */
const sessionsOf = (outside: Part, sessions: Sessions<unknown>): Sessions<Pieces> =>
  wholeOf<Sessions<Pieces>>({
    usage: async (context, id) => {
      const inner = strip(id, outside)
      if (inner === undefined) return { inUse: 'unknown', evidence: 'nobody outside knows it' }
      return sessions.usage(within(context, outside), inner)
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
    // A publication changes all parts. So the next one has to wait until every part's kept credential is over.
    slots: () => (slots.length === 0 ? 1 : Math.min(...slots)),
    propagates: outside?.rotator.traits.propagates ?? false,
    ...optional('asynchronous', outside?.rotator.traits.asynchronous),
    ...(outside ? { proof: () => proofOf(outside.rotator, outside.policy) } : {}),
    rollback: () => (['none', 'reapply'] as const).find((way) => ways.includes(way)) ?? 'publish',
  }
}
