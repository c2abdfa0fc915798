import { RotationError } from '../../core/errors.js'
import { seeLogin } from '../../core/login-seen.js'
import type { SecretState } from '../../core/ports/store.js'
import { proofOf } from '../../core/proof.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Action } from '../decide/action.js'
import { ownContext } from '../secret/context.js'
import { assertNoneEnding } from '../secret/publish-again.js'
import type { Known, Tools } from '../secret/setup.js'

type Go = Extract<Action, { do: 'go' }>

/**
 * Proves a value that a person puts on a stuck secret, by one login, before anything is written: the value that is pending may be the only one that
 * the target accepts. Returns what to begin, or 'again' where the value is current already and only `stuck` was left. target_auth where the target
 * refuses it, and then nothing has changed.
 */
export async function provePut(
  tools: Tools,
  setup: Known,
  state: SecretState,
  begin: Go,
  supplied: SecretText | undefined,
): Promise<Go | 'again'> {
  const { shown } = state.ref
  if (supplied === undefined)
    throw new RotationError('bad_event', `A put of ${shown} has no value.`, { field: 'value', next: 'Put the value again.' })
  assertNoneEnding(state, tools.deps.env.now(), 'put')
  await assertTokenIsFree(tools, state, begin, supplied)
  await assertAccepted(tools, setup, state, supplied)
  const { current, journal } = state
  if (begin.token === undefined || current?.ours !== begin.token) return begin
  const open = journal?.rotation
  if (open?.token === begin.token && open.published === undefined) return { ...begin, from: 'finish', version: open.staged ?? current.id }
  await tools.store.note(state, { code: null })
  return 'again'
}

/** A token keeps its first value: another one would never be published under it. token_spent. */
async function assertTokenIsFree({ store }: Tools, { ref, pending, current }: SecretState, { token }: Go, supplied: SecretText) {
  const holder = [pending, current].find((info) => info !== undefined && tokenOf(info) === token)
  if (token === undefined || holder?.hasValue !== true || (await store.read(ref, holder.id)).equals(supplied)) return
  throw new RotationError('token_spent', `This token holds another value of ${ref.shown}; nothing was changed.`, {
    next: `Put the value again, with another token or none: keyturn put ${ref.shown}.`,
  })
}

const tokenOf = (info: NonNullable<SecretState['pending' | 'current']>) => ('token' in info ? info.token : info.ours)

async function assertAccepted(tools: Tools, setup: Known, state: SecretState, supplied: SecretText): Promise<void> {
  const { rotator, policy } = setup
  const { ref } = state
  const value = rotator.parse(supplied, policy)
  if (proofOf(rotator, policy) === 'answer') return // the put sets it, whatever the target has
  const { passwordAccepted, why } = await seeLogin(rotator, await ownContext(tools, setup, state), value)
  if (passwordAccepted) return
  const known = why === undefined ? '' : ` ${why.message}`
  throw new RotationError(
    'target_auth',
    `The target refuses the value that was given. Nothing was changed: ${ref.shown} is still stuck.${known}`,
    {
      cause: why,
      field: 'value',
      next: `Put the value that the target accepts. keyturn recover ${ref.shown} tries the stored ones.`,
    },
  )
}
