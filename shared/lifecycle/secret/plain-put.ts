import { optional } from '../../core/optional.js'
import type { ClaimWish, SecretState, Staged } from '../../core/ports/store.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Action } from '../decide/action.js'
import { ownToken } from '../decide/publication.js'
import type { RotationResult } from './deps.js'
import { noRotatorError, type Tools } from './setup.js'

/** Puts a secret of no known kind. It cannot be rotated: nothing can log in with it, so nothing can be tested. bad_policy for anything else. */
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
    const { token, id: continueWith } = staged
    const rotation = state.journal?.rotation
    const open = rotation?.published === undefined ? rotation?.token : undefined
    const replaces = open === token ? undefined : open
    await store.claim(state, { ...wish, token, continueWith, ...optional('replaces', replaces) })
    return 'again'
  }
  if (action.do !== 'go' || action.kind !== 'put') throw noRotatorError(state.ref)
  if (action.version === undefined && suppliedValue === undefined) throw noRotatorError(state.ref)
  const token = action.token ?? ownToken(state, action)
  const asked: ClaimWish = {
    ...wish,
    token,
    ...(action.token === undefined ? { derived: true as const } : {}),
    ...optional('replaces', action.replaces),
  }
  const claim = await store.claim(state, asked)
  const staged = action.version === undefined && suppliedValue ? await store.stage(claim, suppliedValue) : undefined
  const version = action.version ?? staged?.version
  if (version === undefined) return 'again'
  deps.env.log('put_untested', { ref: state.ref.shown, why: 'no rotator' })
  const info = await store.publish(claim, version)
  return { ref: state.ref, outcome: 'published', kind: 'put', token, version: info.id, steps: ['create', 'finish'], differences: [] }
}

/** Drops a staged value, under an exclusive claim. It needs no base for that, so a base that cannot be read does not matter. */
export async function dropPut(tools: Tools, state: SecretState, { staged }: Extract<Action, { do: 'drop' }>): Promise<void> {
  const claim = await tools.store.claim(state, wishFor(tools, staged))
  await tools.store.discard(claim, staged.id)
}

/** What `claim` is asked for, to continue with a staged value under its own token. */
export const wishFor = ({ deps }: Tools, { token, kind }: Staged): ClaimWish => ({
  token,
  kind: kind ?? 'rotate',
  holder: deps.holder,
  leaseMs: deps.leaseMs,
})
