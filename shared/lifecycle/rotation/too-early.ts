import { RotationError } from '../../core/errors.js'
import { deriveToken } from '../../core/ids.js'
import type { SecretState } from '../../core/ports/store.js'
import { nextFor } from '../../core/remedies.js'
import { reachedAt } from '../consumers/companions.js'
import type { Known, Tools } from '../secret/setup.js'
import type { ReadVersion } from '../secret/trial.js'
import { releasedIn } from './work.js'

/** held where the value itself shows that it is too early. This is asked before anything is claimed, so that nothing stays open until then. */
export async function assertNotTooEarly(
  { deps, guard, store }: Tools,
  setup: Known,
  state: SecretState,
  kind: 'rotate' | 'emergency' = 'rotate',
  read: ReadVersion = (version) => store.read(state.ref, version),
): Promise<void> {
  const { rotator, policy } = setup
  const { ref, current: info } = state
  const publishedAt = reachedAt(setup, state)
  if (rotator.tooEarly === undefined || info === undefined) return
  const current = rotator.parse(await read(info.id), policy)
  const token = deriveToken('rotate', ref, info.id, 0)
  const deadline = deps.env.now() + deps.leaseMs
  const hurry = kind === 'emergency' ? { emergency: true as const } : {}
  const released = releasedIn(state)
  const context = { ...hurry, ref, token, policy, deadline, current, publishedAt, released, live: [], env: guard.env }
  const why = rotator.tooEarly(context)
  if (why === undefined) return
  const reencrypt = `Re-encrypt, then run keyturn reencrypted ${ref.shown} --key ID.`
  throw new RotationError('held', `${ref.shown}: ${why}.`, {
    next: rotator.older ? reencrypt : nextFor('held', ref.shown),
  })
}
