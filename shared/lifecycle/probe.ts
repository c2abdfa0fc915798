import { RotationError } from '../core/errors.js'
import type { AnyRotator } from '../core/ports/rotator.js'
import type { ClaimWish, SecretState, Staged } from '../core/ports/store.js'
import type { Action } from './action.js'
import { giveUpValue, markStuck } from './doubt.js'
import { type Pending, readPending } from './steps.js'
import { openWork, type Setup, type Tools, type Work } from './work.js'

type Probe = Extract<Action, { do: 'probe' }>

/**
 * Looks at one staged value that nobody stands for, under an exclusive claim, by one login each: accepted → adopt; refused and current
 * accepted → discard; neither → stuck. The caller decides anew afterwards.
 */
export async function probe(tools: Tools, setup: Setup & { rotator: AnyRotator }, state: SecretState, action: Probe): Promise<void> {
  const [staged] = action.versions
  if (staged === undefined) return
  const { deps, store } = tools
  const wish = {
    token: staged.token,
    kind: staged.kind ?? 'rotate',
    holder: deps.holder,
    leaseMs: deps.leaseMs,
    ...overOf(state, action, staged),
  } as const
  if (setup.rotator.traits.mints && !action.leftover) return void (await store.claim(state, { ...wish, adopt: staged.id })) // the only copy of what the issuer made
  const claim = await store.claim(state, wish)
  const work = await openWork(tools, setup, { ...state, pending: staged }, { ...claim, base: state.current?.id ?? null })
  const pending = await readPending(work, staged.id)
  if (action.leftover) return dropLeftover(work, pending.version, pending.value)
  return adoptOrDrop(work, wish, pending, {
    mayBeInUse: state.journal?.rotation?.token !== staged.token && isYoung(staged, deps.env.now()),
  })
}

const overOf = (state: SecretState, action: Probe, staged: Staged) => {
  const open = state.journal?.rotation
  const over = action.over ?? (open && open.published === undefined ? open.token : undefined)
  return over === undefined || over === staged.token ? {} : { over }
}

/** The longest that any invocation may live: a process that lost its journal may still be about to set a value that is younger. */
const invocationMsMax = 15 * 60_000
const isYoung = ({ createdAt }: Staged, now: number): boolean => now - createdAt < invocationMsMax

async function adoptOrDrop(work: Work, wish: ClaimWish, pending: Pending, { mayBeInUse }: { mayBeInUse: boolean }): Promise<void> {
  const { rotator, context, tools } = work
  if (await rotator.accepted(context, pending.value)) {
    const now = await tools.store.describe(context.ref)
    await tools.store.claim(now, { ...wish, adopt: pending.version })
    return
  }
  if (mayBeInUse) {
    throw new RotationError(
      'locked',
      `A value of ${context.ref.shown} is staged that no journal names, and the process that staged it may still live.`,
      {
        next: 'Run the same command again in a quarter of an hour.',
      },
    )
  }
  if (await rotator.accepted(context, context.current)) return giveUpValue(work, pending.version, pending.value)
  return markStuck(work, 'Neither the current credential nor a staged one that was found is accepted.')
}

async function dropLeftover(work: Work, version: Staged['id'], pending: unknown): Promise<void> {
  const { rotator, context } = work
  if (await rotator.accepted(context, context.current)) return giveUpValue(work, version, pending)
  const alive = await rotator.accepted(context, pending)
  const why = alive
    ? 'Somebody published another value while a rotation was open: the target accepts only the pending one.'
    : 'Somebody published another value while a rotation was open, and the target accepts neither that nor the pending one.'
  return markStuck(work, why)
}
