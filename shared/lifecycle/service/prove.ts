import { codeOf, RotationError } from '../../core/errors.js'
import type { AnyRotator } from '../../core/ports/rotator.js'
import type { Claim } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import { isByAnswer } from '../rotation/by-answer.js'
import { fatalStops, readPending, testSecret } from '../rotation/steps.js'
import { openWork } from '../rotation/work.js'
import type { Opened } from '../secret/open.js'

/**
 * Logs in with a pending value that nothing here has tested, right before it is published. It compares nothing, so it needs only that value; what no
 * target outside knows is judged by its own rotator, which needs current too. A refusal proves nothing about the value, since nobody can say whether
 * it was set: nothing is given up. Where no password can be tried, it is set again. bad_event.
 */
export async function prove({ tools, state, known }: Opened, claim: Claim, version: VersionId): Promise<void> {
  const setup = await known()
  const { rotator } = setup
  const needs = { base: !rotator.traits.outside, admin: false }
  const work = await openWork(tools, setup, state, claim, { needs, vouched: true })
  const pending = await readPending(work, version)
  if (isByAnswer(work)) return void (await testSecret(work, pending))
  try {
    fatalStops(work, await rotator.verify(work.context, pending.value))
  } catch (cause) {
    if (!isRefusal(cause, rotator)) throw cause
    const { shown } = state.ref
    const who = rotator.traits.outside ? 'The target' : `The rotator ${rotator.about.kind}`
    throw new RotationError(
      'bad_event',
      `${who} does not accept the pending value of ${shown}. Nothing was published, and the value is kept.`,
      {
        cause,
        field: 'step',
        next: 'Call createSecret, setSecret and testSecret first, with the same token. AWS Secrets Manager does that when it tries again.',
      },
    )
  }
}

const isRefusal = (cause: unknown, { traits }: AnyRotator): boolean =>
  codeOf(cause) === 'target_auth' || (codeOf(cause) === 'bad_value' && !traits.outside)
