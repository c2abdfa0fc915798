import assert from 'node:assert/strict'
import { it } from 'node:test'
import { answerEvent } from '../../shared/app/event-answer.js'
import { RotationError } from '../../shared/core/errors.js'
import type { Code } from '../../shared/core/ports/errors.js'

/** How an event ends whose rotation fails with this code: `again`, or with the announcement that is sent all the same. */
async function endOf(code: Code): Promise<string> {
  let end = 'nothing'
  const fails = async () => {
    throw new RotationError(code, 'A text that no answer may carry.', { next: 'Look.' })
  }
  const send = async () => {
    end = 'sent'
  }
  const steps = { read: async () => ({}), bury: fails, rotate: fails, send }
  await answerEvent(() => undefined, steps).catch((cause: unknown) => {
    end = cause instanceof Error && cause.message === code ? 'again' : 'something else'
  })
  return end
}

it('a notice comes again where the store failed or somebody else may act, and ends where a look or a person goes on', async () => {
  for (const code of ['unavailable', 'throttled', 'ambiguous', 'conflict', 'locked', 'internal'] as const)
    assert.equal(await endOf(code), 'again', code)
  for (const code of ['held', 'stuck', 'target_auth', 'target_unreachable', 'bad_policy'] as const)
    assert.equal(await endOf(code), 'sent', code)
})
