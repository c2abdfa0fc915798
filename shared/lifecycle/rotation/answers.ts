import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { RotationRequest, SecretRef } from '../../core/ports/words.js'
import type { RotationResult } from '../secret/deps.js'
import type { Tools } from '../secret/setup.js'

/** A put that has to finish somebody else's rotation first fails for the reasons of that rotation. The error says so, and how to get past it. */
export async function explainOpenRotation(
  tools: Tools,
  ref: SecretRef,
  { token }: RotationRequest,
  cause: RotationError,
): Promise<RotationError> {
  const { pending, journal } = await tools.store.describe(ref)
  if (journal?.code !== undefined || pending === undefined || pending.token === token || journal?.rotation?.published !== undefined)
    return cause
  const open = 'An older rotation is open and has to be finished first'
  const recover = `keyturn recover ${ref.shown} gives its value up where that is safe`
  return new RotationError(cause.code, cause.message, {
    next: `${open}: ${recover}. ${cause.next}`,
    cause: cause.cause,
    ...optional('field', cause.field),
  })
}

/** The version that was previous when the rollback was asked for is not previous any more: to continue would bring back what somebody wanted to leave. */
export function finishedFirstError({ ref, version }: RotationResult): RotationError {
  const why = `A rotation of ${ref.shown} was open and is finished now: ${version} is current.`
  return new RotationError('held', `${why} Nothing was rolled back.`, {
    next: `Look at keyturn status ${ref.shown}. To roll back all the same, run the same command again.`,
  })
}

/** Whether a publication answers the request. One under another token was somebody else's: then the request itself still has to be decided. */
export function answersRequest(request: RotationRequest, result: RotationResult): boolean {
  // Nobody knows which parts an open rotation was for: the part that was asked for is begun after it.
  if (request.part !== undefined && !result.steps.includes('create')) return false
  if (request.since && (result.publishedAt ?? request.at) < request.at) return false
  if (request.token !== undefined && request.kind !== 'rollback') return result.token === request.token
  return result.kind === request.kind || request.kind === 'resume'
}
