import { optional } from '../../core/optional.js'
import type { AnyRotator, Context, Issuer, Sessions } from '../../core/ports/rotator.js'
import { wholeOf } from '../../core/whole.js'
import { type Guard, type GuardedCall, guarded, redactedError } from './guarded.js'

type Call = (name: string, context: Context<unknown>) => GuardedCall
interface Calls {
  readonly guard: Guard
  readonly look: Call
  readonly change: Call
  /** Tells the redactor a value, and returns it. */
  learned<T>(value: T): T
}

/** The same rotator behind limits, audit, retry and redaction; every value that it parses or makes is known to the redactor. */
export function guardRotator(rotator: AnyRotator, guard: Guard): AnyRotator {
  const calls = callsOf(rotator, guard)
  const { look, change, learned } = calls
  return wholeOf<AnyRotator>({
    about: rotator.about,
    traits: rotator.traits,
    parse: (value, policy) => learned(rotator.parse(learned(value), policy)),
    render: (shape, next) => learned(rotator.render(shape, next)),
    identify: (value) => rotator.identify(value),
    check: (context, pending) => rotator.check(context, pending),
    propose: async (context) => learned(await rotator.propose(context)),
    apply: (context, pending) => guarded(guard, change('apply', context), () => rotator.apply(context, pending)),
    accepted: (context, value) => guarded(guard, look('accepted', context), () => rotator.accepted(context, value)),
    verify: (context, pending) => guarded(guard, look('verify', context), () => rotator.verify(context, pending)),
    retire: (context, id) => guarded(guard, change('retire', context), () => rotator.retire(context, id)),
    classify: (cause) => rotator.classify(cause),
    issuer: rotator.issuer && guardIssuer(rotator.issuer, calls),
    sessions: rotator.sessions && guardSessions(rotator.sessions, calls),
    login: rotator.login && guardLogin(rotator.login.bind(rotator), calls),
    prepare: rotator.prepare && guardPrepare(rotator.prepare.bind(rotator), calls),
    ...ofTheValue(rotator, calls),
  })
}

function callsOf(rotator: AnyRotator, guard: Guard): Calls {
  const look: Call = (name, { ref, deadline }) => ({
    name: `${rotator.about.kind}.${name}`,
    ref: ref.shown,
    effect: false,
    deadline,
    classify: (cause) => rotator.classify(cause),
  })
  return {
    guard,
    look,
    change: (name, context) => ({ ...look(name, context), effect: true, token: context.token, ...optional('reason', context.reason) }),
    learned: (value) => {
      guard.redactor.learn(value)
      return value
    },
  }
}

/** The reason why there is no session is redacted like an error that is thrown. It is not repeated: that is a login. */
const guardLogin =
  (login: NonNullable<AnyRotator['login']>, { guard, look }: Calls): NonNullable<AnyRotator['login']> =>
  async (context, value) => {
    const { why, ...seen } = await guarded(guard, look('login', context), () => login(context, value))
    return { ...seen, ...optional('why', why && redactedError(guard.redactor, why)) }
  }

const guardPrepare =
  (prepare: NonNullable<AnyRotator['prepare']>, { guard, change }: Calls): NonNullable<AnyRotator['prepare']> =>
  (context) =>
    guarded(guard, change('prepare', context), () => prepare(context))

const guardIssuer = (issuer: Issuer<unknown>, { guard, look, change, learned }: Calls): Issuer<unknown> =>
  wholeOf<Issuer<unknown>>({
    mint: async (context) => learned(await guarded(guard, change('mint', context), () => issuer.mint(context))),
    usage: (context, id) => guarded(guard, look('usage', context), () => issuer.usage(context, id)),
  })

const guardSessions = (sessions: Sessions<unknown>, { guard, look, change }: Calls): Sessions<unknown> =>
  wholeOf<Sessions<unknown>>({
    usage: (context, id) => guarded(guard, look('usage', context), () => sessions.usage(context, id)),
    end: (context, id) => guarded(guard, change('endSessions', context), () => sessions.end(context, id)),
    endOnRetire: (policy) => sessions.endOnRetire(policy),
  })

type OfTheValue = 'assertClear' | 'older' | 'publicHalf' | 'typeOf' | 'identities' | 'outlook' | 'tooEarly' | 'digests' | 'restore'
/** The methods that need no target: they read a value, or make something of one. */
function ofTheValue(rotator: AnyRotator, { learned }: Calls): { readonly [K in OfTheValue]: AnyRotator[K] } {
  const { digests, restore } = rotator
  return {
    assertClear: rotator.assertClear?.bind(rotator),
    older: rotator.older,
    publicHalf: rotator.publicHalf,
    typeOf: rotator.typeOf?.bind(rotator),
    identities: rotator.identities?.bind(rotator),
    outlook: rotator.outlook?.bind(rotator),
    tooEarly: rotator.tooEarly?.bind(rotator),
    digests: digests && ((value, policy) => learned(digests.call(rotator, value, policy))),
    restore: restore && ((now, back, policy) => learned(restore.call(rotator, now, back, policy))),
  }
}
