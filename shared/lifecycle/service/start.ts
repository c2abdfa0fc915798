import { codeOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { RotationStarter } from '../../core/ports/service.js'
import type { SecretState } from '../../core/ports/store.js'
import type { RotationRequest, Token } from '../../core/ports/words.js'
import { nextFor } from '../../core/remedies.js'
import { rewrittenFields } from '../../core/shapes/rewritten.js'
import { guardStarter } from '../guard/index.js'
import { rotate } from '../rotation/rotate.js'
import type { Deps, RotationResult } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import { assertAdopted, type Tools } from '../secret/setup.js'

const waitMsMax = 10 * 60_000
const lookMs = 1000
const lookMsMax = 15_000
/** How often in a row the rotation has to be missing. A single look may show the state before the rotation began. */
const goneLooks = 3

/**
 * Rotates a secret, whoever drives it. Our own engine does it, or a platform that has an engine is started and followed. `say` gets a line for each
 * change that is seen meanwhile. held where the platform has not finished in ten minutes; it continues by itself.
 */
export async function rotateOrFollow(
  deps: Deps,
  starter: RotationStarter | undefined,
  request: RotationRequest,
  say: (line: string) => void = () => {},
): Promise<RotationResult> {
  const { kind, step, part, reason } = request
  if (kind !== 'rotate' || step !== undefined || starter === undefined) return rotate(deps, request)
  const { tools, state } = await openSecret(deps, request.ref)
  const { ref, drivenBy, journal } = state
  if (drivenBy !== 'service' || journal?.rotation !== undefined) return rotate(deps, request)
  if (part !== undefined)
    throw new RotationError('bad_event', `The platform rotates ${ref.shown} as a whole.`, {
      field: 'ref',
      next: `Omit #${part}, or use --emergency --reason …, which runs our own engine.`,
    })
  assertAdopted(tools, state)
  const classify = (cause: unknown) => deps.store.classify(cause)
  const recorded = guardStarter(starter, tools.guard, classify, reason)
  const token = await recorded.startNative(ref)
  return follow(tools, state, token, say)
}

async function follow(tools: Tools, before: SecretState, token: Token, say: (line: string) => void): Promise<RotationResult> {
  const { env } = tools.deps
  const { ref } = before
  const giveUpAt = env.now() + waitMsMax
  say(`the platform rotates ${ref.shown} (token ${token})`)
  let last = ''
  let gone = 0
  let waitMs = lookMs
  while (env.now() < giveUpAt && !env.cancelled.aborted) {
    await env.sleep(waitMs)
    waitMs = Math.min(lookMsMax, waitMs * 1.5)
    const state = await lookAt(tools, ref)
    const line = stageOf(state, token)
    if (line !== last) say(line)
    last = line
    const isCurrent = state.current?.ours === token
    if (isCurrent && state.pending === undefined)
      return { ...published(before, state, token), ...optional('rewrote', await rewroteOf(tools, before, state)) }
    const isGone = !isCurrent && state.pending?.token !== token
    gone = isGone ? gone + 1 : 0
    if (gone >= goneLooks) throw gaveUpError(ref.shown, token, line)
  }
  throw notDoneError(ref.shown, token, last)
}

const gaveUpError = (shown: string, token: Token, line: string): RotationError =>
  new RotationError('token_spent', `The platform gave up its rotation of ${shown}: ${line}.`, {
    next: `Look at the function's log for the token ${token}, then ${nextFor('token_spent', shown).toLowerCase()}`,
  })

function notDoneError(shown: string, token: Token, last: string): RotationError {
  const status = `keyturn status ${shown} shows how far it is`
  const log = `the function's log says what holds it (token ${token})`
  return new RotationError('held', `The platform has not finished with ${shown} yet: ${last}.`, {
    next: `It continues by itself. ${status}; ${log}.`,
  })
}

/** Looks at the secret. A look that fails because of a race is made once more. */
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

/** The fields that the platform's rotation changed; undefined where this role may not read both values. */
async function rewroteOf(
  { store }: Tools,
  { ref, current: base }: SecretState,
  { current }: SecretState,
): Promise<readonly string[] | undefined> {
  if (base === undefined || current === undefined) return undefined
  try {
    return rewrittenFields(await store.read(ref, base.id), await store.read(ref, current.id))
  } catch (cause) {
    if (cause instanceof RotationError) return undefined
    throw cause
  }
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
