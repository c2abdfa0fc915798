import { optional } from '../../core/optional.js'
import type { AnyRotator, Context } from '../../core/ports/rotator.js'
import type { CredentialId, Policy } from '../../core/ports/words.js'
import { type Guard, type GuardedCall, guarded } from './guarded.js'

/** The same rotator behind limits, audit, retry and redaction; every value that it parses or makes is known to the redactor. */
export function guardRotator(rotator: AnyRotator, guard: Guard): AnyRotator {
  const classify = (cause: unknown) => rotator.classify(cause)
  const learned = <T>(value: T): T => {
    guard.redactor.learn(value)
    return value
  }
  const look = (name: string, { ref, deadline }: Context<unknown>): GuardedCall => ({
    name: `${rotator.about.kind}.${name}`,
    ref: ref.shown,
    effect: false,
    deadline,
    classify,
  })
  const change = (name: string, context: Context<unknown>): GuardedCall => ({
    ...look(name, context),
    effect: true,
    token: context.token,
    ...optional('reason', context.reason),
  })
  const { mint, usage, endSessions } = rotator
  return {
    about: rotator.about,
    traits: rotator.traits,
    parse: (value, policy) => learned(rotator.parse(learned(value), policy)),
    render: (shape, next) => learned(rotator.render(shape, next)),
    identify: (value) => rotator.identify(value),
    check: (context, pending) => rotator.check(context, pending),
    propose: async (context) => learned(await rotator.propose(context)),
    ...(mint
      ? {
          mint: async (context: Context<unknown>) =>
            learned(await guarded(guard, change('mint', context), () => mint.call(rotator, context))),
        }
      : {}),
    apply: (context, pending) => guarded(guard, change('apply', context), () => rotator.apply(context, pending)),
    accepted: (context, value) => guarded(guard, look('accepted', context), () => rotator.accepted(context, value)),
    verify: (context, pending) => guarded(guard, look('verify', context), () => rotator.verify(context, pending)),
    ...(usage ? { usage: (context, id) => guarded(guard, look('usage', context), () => usage.call(rotator, context, id)) } : {}),
    retire: (context, id) => guarded(guard, change('retire', context), () => rotator.retire(context, id)),
    ...(endSessions
      ? {
          endSessions: (context: Context<unknown>, id: CredentialId) =>
            guarded(guard, change('endSessions', context), () => endSessions.call(rotator, context, id)),
        }
      : {}),
    ...ofTheValue(rotator, learned),
    classify,
  }
}

/** What needs no target: read from a value, or made of one. */
function ofTheValue(rotator: AnyRotator, learned: <T>(value: T) => T): Partial<AnyRotator> {
  const { tooEarly, publicSet, typeOf, retained, digests, identities, restore } = rotator
  return {
    ...(identities ? { identities: (value: unknown) => identities.call(rotator, value) } : {}),
    ...(typeOf ? { typeOf: (policy: Policy) => typeOf.call(rotator, policy) } : {}),
    ...(retained ? { retained: (value: unknown) => retained.call(rotator, value) } : {}),
    ...(digests ? { digests: (value: unknown, policy: Policy) => learned(digests.call(rotator, value, policy)) } : {}),
    ...(restore ? { restore: (now: unknown, back: unknown, policy: Policy) => learned(restore.call(rotator, now, back, policy)) } : {}),
    ...(tooEarly ? { tooEarly: (context: Context<unknown>) => tooEarly.call(rotator, context) } : {}),
    ...(publicSet
      ? { publicSet: (value: unknown, policy: Policy, at: number | undefined) => publicSet.call(rotator, value, policy, at) }
      : {}),
  }
}
