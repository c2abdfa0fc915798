import { codeOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { RotationStarter } from '../../core/ports/service.js'
import type { SecretState } from '../../core/ports/store.js'
import type { RotationRequest, Token } from '../../core/ports/words.js'
import { nextFor } from '../../core/remedies.js'
import { guardStarter } from '../guard/index.js'
import { rotate } from '../rotation/rotate.js'
import type { Deps, RotationResult } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import type { Tools } from '../secret/setup.js'

const waitMsMax = 10 * 60_000
const lookMs = 1000
const lookMsMax = 15_000
/** One look may be of before it began. */
const goneLooks = 3

/**
 * Whoever drives it: our own engine, or a platform that has one, which is started and followed. `say` is told of what is seen meanwhile. held where
 * the platform has not finished in ten minutes: it goes on by itself.
 */
export async function rotateOrFollow(
  deps: Deps,
  starter: RotationStarter | undefined,
  request: RotationRequest,
  say: (line: string) => void = () => {},
): Promise<RotationResult> {
  if (request.kind !== 'rotate' || request.step !== undefined || starter === undefined) return rotate(deps, request)
  const { tools, state } = await openSecret(deps, request.ref)
  if (state.drivenBy !== 'service' || state.journal?.rotation !== undefined) return rotate(deps, request)
  if (request.part !== undefined)
    throw new RotationError('bad_event', `The platform rotates ${state.ref.shown} as a whole.`, {
      field: 'ref',
      next: `Leave #${request.part} away, or use --emergency --reason …, which is our own engine's.`,
    })
  const recorded = guardStarter(starter, tools.guard, (cause) => deps.store.classify(cause), request.reason)
  return follow(tools, state, await recorded.startNative(state.ref), say)
}

async function follow(tools: Tools, before: SecretState, token: Token, say: (line: string) => void): Promise<RotationResult> {
  const { env } = tools.deps
  const { ref } = before
  const giveUpAt = env.now() + waitMsMax
  say(`the platform rotates ${ref.shown} (token ${token})`)
  let [last, gone] = ['', 0]
  for (let waitMs = lookMs; env.now() < giveUpAt && !env.cancelled.aborted; waitMs = Math.min(lookMsMax, waitMs * 1.5)) {
    await env.sleep(waitMs)
    const state = await lookAt(tools, ref)
    const line = stageOf(state, token)
    if (line !== last) say(line)
    last = line
    if (state.current?.ours === token && state.pending === undefined) return published(before, state, token)
    gone = state.current?.ours !== token && state.pending?.token !== token ? gone + 1 : 0
    if (gone >= goneLooks) {
      throw new RotationError('token_spent', `The platform gave its rotation of ${ref.shown} up: ${line}.`, {
        next: `Look at the function's log for the token ${token}, then ${nextFor('token_spent', ref.shown).toLowerCase()}`,
      })
    }
  }
  throw new RotationError('held', `The platform is not done with ${ref.shown} yet: ${last}.`, {
    next: `It goes on by itself. keyturn status ${ref.shown} shows where it stands; the function's log says what holds it (token ${token}).`,
  })
}

/** A look that fails for once is made again. */
async function lookAt({ store }: Tools, ref: SecretState['ref']): Promise<SecretState> {
  try {
    return await store.describe(ref)
  } catch (cause) {
    if (codeOf(cause) !== 'conflict') throw cause
    return store.describe(ref)
  }
}

function stageOf({ current, pending }: SecretState, token: Token): string {
  if (current?.ours === token) return 'finish: the new version is current'
  if (pending?.token !== token) return 'its pending version is gone'
  return pending.hasValue ? 'create is done; set and test follow' : 'its pending version has no value yet'
}

const published = ({ ref, current: base }: SecretState, { current }: SecretState, token: Token): RotationResult => ({
  ref,
  outcome: 'published',
  kind: 'rotate',
  token,
  steps: ['create', 'set', 'test', 'finish'],
  differences: [],
  ...optional('version', current?.id),
  ...optional('previous', base?.id),
})
