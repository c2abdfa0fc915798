import { RotationError } from './errors.js'
import type { Code } from './ports/errors.js'
import type { Context, Rotator, RotatorTraits } from './ports/rotator.js'

const idBytes = 6
/** A public name for a new credential: never derived from it, since a digest would help to guess it. */
export const newId = ({ env }: Context<unknown>): string => Buffer.from(env.random(idBytes)).toString('hex')

/** The value that a proposal starts from. internal without one. */
export function currentOf<V>({ current }: Context<V>): V {
  if (current !== undefined) return current
  throw new RotationError('internal', 'A proposal needs the current value.', { next: 'This is a bug: report it.' })
}

/** No target accepts, refuses or keeps such a credential, so there is nothing to set, to ask or to end. */
export const selfIssued = (slots: RotatorTraits['slots'], fitsBeside = true) =>
  ({
    traits: {
      outside: false,
      slots,
      propagates: false,
      ...(fitsBeside ? { fitsBeside } : {}),
      rollback: () => 'publish',
    },
    apply: async () => ({ done: true }),
    accepted: async () => true,
    verify: async () => [],
    retire: async () => ({ done: true }),
    classify: (cause: unknown): Code => (cause instanceof RotationError ? cause.code : 'internal'),
  }) as const satisfies Pick<Rotator<never>, 'traits' | 'apply' | 'accepted' | 'verify' | 'retire' | 'classify'>
