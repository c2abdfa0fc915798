import { counted } from '../core/counted.js'
import { assertInTime, RotationError } from '../core/errors.js'
import { defaultRule, generatePassword } from '../core/password.js'
import { policyText } from '../core/policy/index.js'
import type { Code } from '../core/ports/errors.js'
import type { AnyRotator, Context, PolicyKey, Progress, Rotator, RotatorTraits, Sessions, Strategy, Usage } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'
import { SecretText } from '../core/secret-text.js'
import { type MemoryTarget, memoryTarget } from './memory/target.js'
import { type MemoryValue, parseMemoryValue, renderMemoryValue } from './memory/value.js'

type MemoryClass = 'A' | 'B' | 'C' | 'F'
const strategies: Readonly<Record<MemoryClass, Strategy>> = { A: 'replace', B: 'alternate', C: 'overlap', F: 'overlap' }
const slots: Readonly<Record<MemoryClass, number>> = { A: 1, B: 2, C: 10, F: 2 }
const pairKey: PolicyKey = {
  name: 'pair',
  help: 'the two accounts that take turns',
  check: (value) => (/^\S+ \S+$/.test(value) ? undefined : 'must name two accounts'),
}
const fresh = ({ env }: Context<unknown>): SecretText => new SecretText(generatePassword(defaultRule, env.random))

/** One rotator of each class against a target in a Map. Every other rotator is compared with these. */
export function createMemoryRotator(of: MemoryClass): Rotator<MemoryValue> {
  const kind = `memory-${of.toLowerCase()}`
  const login = ({ target, user, password }: MemoryValue) => memoryTarget(target).login(user, password.reveal())
  const accepted = async (value: MemoryValue) => (of === 'F' ? value.ring.some(({ kid }) => kid === value.user) : login(value))
  return {
    about: {
      kind,
      title: `in-memory target, class ${of}`,
      type: 'other',
      strategies: [strategies[of]],
      policy: of === 'B' ? [pairKey] : [],
    },
    traits: traitsOf(of),
    parse: parseMemoryValue,
    render: renderMemoryValue,
    identify: ({ user }) => user as CredentialId,
    check: (context, pending) => {
      if (pending && context.current && pending.target !== context.current.target) {
        throw new RotationError('bad_value', 'The pending value names another target.', { field: 'target', next: 'Put a corrected value.' })
      }
    },
    propose: (context) => propose(of, context),
    apply: async (context, pending) => {
      if (of === 'A') await setOwn(context, pending, login)
      if (of === 'B')
        await memoryTarget(pending.target).setPassword(pending.user, pending.password.reveal(), () => assertInTime(context, 'set'))
      return { done: true }
    },
    accepted: (_context, value) => accepted(value),
    verify: async (_context, pending) => {
      if (await accepted(pending)) return []
      throw new RotationError('target_auth', `The target refused ${pending.user}.`, { next: 'Check the account.' })
    },
    retire: async (context, id): Promise<Progress> => {
      const target = context.current?.target
      if (target !== undefined && of !== 'F') await memoryTarget(target).remove(id, () => assertInTime(context, 'retired'))
      return { done: true }
    },
    ...(of === 'C' ? { issuer: { mint, usage: async ({ current }, id) => lastUse(targetOf(current), id) } } : {}),
    ...(of === 'A' || of === 'B' ? { sessions } : {}),
    classify: (cause): Code => (cause instanceof RotationError ? cause.code : 'internal'),
  }
}

const traitsOf = (of: MemoryClass): RotatorTraits => ({
  outside: of !== 'F',
  slots: () => slots[of],
  propagates: of === 'C',
  rollback: () => (of === 'A' ? 'reapply' : 'publish'),
})

const targetOf = (value: MemoryValue | undefined): MemoryTarget | undefined =>
  value === undefined ? undefined : memoryTarget(value.target)

/** Class C keeps a time of last use. Where no time was noted, nothing is known. */
function lastUse(target: MemoryTarget | undefined, id: CredentialId): Usage {
  const used = target?.lastUsed.get(id)
  return used === undefined ? { inUse: 'unknown', evidence: 'no use is known' } : { inUse: false, lastUsedAt: used, evidence: 'last use' }
}

/** Classes A and B list who is logged in. */
const sessions: Sessions<MemoryValue> = {
  usage: async ({ current }, id) => {
    const open = targetOf(current)?.sessions.get(id) ?? 0
    return { inUse: open > 0, ...(open > 0 ? { lasting: true } : {}), evidence: counted(open, 'session') }
  },
  end: async ({ current }, id) => void targetOf(current)?.sessions.delete(id),
  endOnRetire: () => false,
}

const currentOf = ({ current }: Context<MemoryValue>): MemoryValue => {
  if (current) return current
  throw new RotationError('internal', 'A proposal needs the current value.', { next: 'Report it.' })
}

function propose(of: MemoryClass, context: Context<MemoryValue>): MemoryValue {
  const current = currentOf(context)
  const password = fresh(context)
  if (of === 'B') {
    const pair = (policyText(context.policy, pairKey) ?? '').split(' ')
    return { ...current, user: pair.find((user) => user !== current.user) ?? current.user, password }
  }
  if (of !== 'F') return { ...current, password }
  const kid = `kid-${Buffer.from(context.env.random(6)).toString('hex')}`
  return { ...current, user: kid, password, ring: [{ kid, key: password }, ...current.ring.filter((entry) => entry.kid === current.user)] }
}

async function mint(context: Context<MemoryValue>): Promise<MemoryValue> {
  const current = currentOf(context)
  const key = await memoryTarget(current.target).issue(context.token, fresh(context).reveal(), context.env.now())
  return { ...current, user: key.id, password: new SecretText(key.secret) }
}

/** Class A: the account changes its own password. It tries current first, then pending (then it is done already), then previous. */
async function setOwn(context: Context<MemoryValue>, pending: MemoryValue, login: (value: MemoryValue) => Promise<boolean>): Promise<void> {
  const change = () => memoryTarget(pending.target).setPassword(pending.user, pending.password.reveal(), () => assertInTime(context, 'set'))
  if (context.current && (await login(context.current))) return change()
  if (await login(pending)) return
  const previous = await context.previous?.()
  if (previous && (await login(previous))) return change()
  throw new RotationError('target_auth', `The target refused every known password of ${pending.user}.`, {
    next: 'Set a password at the target.',
  })
}

/** The value's type is the rotator's own business: callers only carry values from one method to the next. */
export const create = (of: MemoryClass): AnyRotator => createMemoryRotator(of)
