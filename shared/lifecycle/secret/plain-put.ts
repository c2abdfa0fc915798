import { deriveToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { ClaimWish, SecretState, Staged } from '../../core/ports/store.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Action } from '../decide/action.js'
import type { RotationResult } from './deps.js'
import { noRotatorError, type Tools } from './setup.js'

/** A secret of no known kind can be put, not rotated: there is nothing to log in with, so nothing to test. bad_policy for anything else. */
export async function putUntested(
  tools: Tools,
  state: SecretState,
  action: Action,
  suppliedValue: SecretText | undefined,
): Promise<RotationResult | 'again'> {
  const { store, deps } = tools
  const wish = { holder: deps.holder, leaseMs: deps.leaseMs, kind: 'put' } as const
  if (action.do === 'probe') {
    const [staged] = action.versions
    if (staged === undefined) return 'again'
    const replaces = state.journal?.rotation?.published === undefined ? state.journal?.rotation?.token : undefined
    await store.claim(state, {
      ...wish,
      token: staged.token,
      continueWith: staged.id,
      ...(replaces === undefined || replaces === staged.token ? {} : { replaces }),
    })
    return 'again'
  }
  if (action.do !== 'go' || action.kind !== 'put' || (action.version === undefined && suppliedValue === undefined)) {
    throw noRotatorError(state.ref)
  }
  const token = action.token ?? deriveToken('put', state.ref, action.base, action.refusals)
  const asked: ClaimWish = {
    ...wish,
    token,
    ...(action.token === undefined ? { derived: true as const } : {}),
    ...optional('replaces', action.replaces),
  }
  const claim = await store.claim(state, asked)
  const version = action.version ?? (suppliedValue ? (await store.stage(claim, suppliedValue)).version : undefined)
  if (version === undefined) return 'again'
  deps.env.log('put_untested', { ref: state.ref.shown, why: 'no rotator' })
  const info = await store.publish(claim, version)
  return { ref: state.ref, outcome: 'published', kind: 'put', token, version: info.id, steps: ['create', 'finish'], differences: [] }
}

/** Under an exclusive claim; what has no base that can be read needs none to be dropped. */
export async function dropPut(tools: Tools, state: SecretState, { staged }: Extract<Action, { do: 'drop' }>): Promise<void> {
  await tools.store.discard(await tools.store.claim(state, wishFor(tools, staged)), staged.id)
}

/** What is asked of `claim` to go on with a staged value under its own token. */
export const wishFor = ({ deps }: Tools, { token, kind }: Staged): ClaimWish => ({
  token,
  kind: kind ?? 'rotate',
  holder: deps.holder,
  leaseMs: deps.leaseMs,
})
