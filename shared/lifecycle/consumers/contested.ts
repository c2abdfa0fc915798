import { codeOf, RotationError } from '../../core/errors.js'
import type { SecretState, SecretView } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import type { SecretText } from '../../core/secret-text.js'
import { isExplained } from '../../core/unfenced/view.js'
import { isDue } from '../decide/publication.js'
import { lookContext } from '../secret/context.js'
import { publishAgain } from '../secret/publish-again.js'
import type { Known, Setup, Tools } from '../secret/setup.js'

/**
 * Whether current has to be proven before anybody is told about it: somebody wrote it while we published, or, where writes have no condition, nothing
 * explains how it came to be current. Nobody has been told about it yet.
 */
export function mustProve(state: SecretView): boolean {
  const { journal, current } = state
  if (current === undefined || !isDue(state)) return false
  return journal?.unproven === current.id || (state.unfenced === true && !isExplained(state))
}

/**
 * Proves what is current with one login, before anybody is told about it. Where the target refuses it, and current is only a late copy of an older
 * version while the one that we published is accepted, that one is published again: then 'again', as where somebody wrote meanwhile. Otherwise the secret is stuck, durably, and nobody is
 * told, because another version is what the target accepts. stuck, and every code of a login.
 */
export async function proveCurrent(tools: Tools, setup: Setup, state: SecretState): Promise<'works' | 'again'> {
  const { rotator } = setup
  const { ref, current } = state
  if (rotator === undefined || current === undefined) return 'works'
  if (proofOf(rotator, setup.policy) === 'answer') return unproven(tools, state, current.id)
  const known = { ...setup, rotator }
  if (await accepts(tools, known, state, await tools.store.read(ref, current.id))) return 'works'
  const ours = publishedBefore(state)
  const isOurs = ours !== undefined && (await accepts(tools, known, state, await tools.store.read(ref, ours)))
  if (isOurs && (await publishAgain(tools, known, state, ours))) return 'again'
  const now = await tools.store.describe(ref)
  if (now.current?.id !== current.id || now.rev !== state.rev) return 'again' // what was refused says nothing about what is current now
  await noteStuck(tools, now)
  throw new RotationError(
    'stuck',
    `${ref.shown} is stuck. Somebody wrote it, or an old write came late, and the target refuses what is current.`,
    {
      next: `Nobody was told. keyturn recover ${ref.shown} tries every stored value once and names the one safe thing to do.`,
    },
  )
}

/**
 * No password can be tried. What somebody wrote is what its readers have already, and is told. Where two wrote at once, a person says which value is
 * set: stuck, and nobody is told.
 */
async function unproven(tools: Tools, state: SecretState, version: VersionId): Promise<'works'> {
  const { shown } = state.ref
  if (state.journal?.unproven !== version) {
    tools.deps.env.log('not_proven', { ref: shown, version })
    return 'works'
  }
  await noteStuck(tools, state)
  const why = 'Somebody wrote it while a rotation published, and no login can tell which value the target accepts.'
  throw new RotationError('stuck', `${shown} is stuck. ${why}`, {
    next: `Nobody was told. Run keyturn put ${shown}: it sets the value that you give and publishes it.`,
  })
}

/** Where this role may not write notes, the error is all there is. */
async function noteStuck({ store }: Tools, state: SecretState): Promise<void> {
  try {
    await store.note(state, { code: 'stuck' })
  } catch (cause) {
    if (codeOf(cause) !== 'denied') throw cause
  }
}

/** What we published before current, where current is nobody's new value but a copy of an older version. */
function publishedBefore({ current, journal }: SecretState): VersionId | undefined {
  const published = journal?.rotation?.published
  return current?.copiesOlder && published !== current.id ? published : undefined
}

/** One login. What is not a credential of this kind at all works nowhere. */
async function accepts(tools: Tools, setup: Known, state: SecretState, text: SecretText): Promise<boolean> {
  const context = await lookContext(tools, setup, state)
  try {
    return await setup.rotator.accepted(context, setup.rotator.parse(text, setup.policy))
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return false
    throw cause
  }
}
