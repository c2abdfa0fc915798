import { codeOf, RotationError } from '../../core/errors.js'
import { deriveToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Context } from '../../core/ports/rotator.js'
import type { SecretState } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { rewrittenFields, sharedFields, staleFields } from '../../core/shapes/rewritten.js'
import type { Known, Tools } from './setup.js'

/** What a rotation would write, found out with a sample that nobody keeps. Only names of fields: no text of the value. */
export interface Trial {
  /** The fields that get other texts; `value` where the value has no fields. */
  readonly rewrites: readonly string[]
  /** Those of them that hold one text now: if one is of another system, that system would not accept the new text. */
  readonly shared: readonly string[]
  /** Fields that stay although they seem to hold the old text, too: a short one may be there by chance. */
  readonly stale: readonly string[]
  /** What a person should know of the first rotation. */
  readonly outlook?: string
}

/**
 * Writes a sample into a value by the code of a rotation, without a call to a target and without a write. Throws what a rotation would refuse before
 * it touches anything: a value that is not one key, a key that consumers would not take, a field that cannot be rewritten. undefined where an issuer
 * makes the credential, or where it is too early for a new one.
 */
export async function trialOf({ rotator, policy }: Known, context: Context<unknown>, text: SecretText): Promise<Trial | undefined> {
  if (rotator.issuer !== undefined) return undefined
  const current = rotator.parse(text, policy)
  const written = await proposed({ rotator, policy }, { ...context, current }, text)
  if (written === undefined) return undefined
  rotator.parse(written, policy)
  const rewrites = rewrittenFields(text, written)
  const outlook = rotator.outlook?.(current, policy)
  return {
    rewrites,
    shared: sharedFields(text, rewrites),
    stale: staleFields(text, rewrites),
    ...optional('outlook', outlook === '' ? undefined : outlook),
  }
}

async function proposed(
  { rotator }: Pick<Known, 'rotator' | 'policy'>,
  context: Context<unknown>,
  text: SecretText,
): Promise<SecretText | undefined> {
  try {
    return rotator.render(text, await rotator.propose(context))
  } catch (cause) {
    if (codeOf(cause) === 'held') return undefined
    throw cause
  }
}

/** How a version of the secret is read, where several checks read the same one. */
export type ReadVersion = (version: VersionId) => Promise<SecretText>

/** The same from the current value of a secret. undefined, too, where there is none, or this role may not read it. */
export async function trialOfCurrent(
  tools: Tools,
  setup: Known,
  state: Pick<SecretState, 'ref' | 'current'>,
  read: ReadVersion = (version) => tools.store.read(state.ref, version),
): Promise<Trial | undefined> {
  const { deps, guard } = tools
  const { ref, current } = state
  if (current?.hasValue !== true) return undefined
  const text = await readable(() => read(current.id))
  if (text === undefined) return undefined
  const token = deriveToken('rotate', ref, current.id, 0)
  const context: Context<unknown> = { ref, token, policy: setup.policy, deadline: deps.env.now() + deps.leaseMs, live: [], env: guard.env }
  // What depends on an administrator is checked when that one is read.
  if (setup.settings.admin === undefined) setup.rotator.check({ ...context, current: setup.rotator.parse(text, setup.policy) })
  return trialOf(setup, context, text)
}

async function readable(read: () => Promise<SecretText>): Promise<SecretText | undefined> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof RotationError) return undefined
    throw cause
  }
}

/** Something that a rotation would do to fields and that only a person can judge, with what to do about it. */
export interface Warning {
  readonly says: string
  readonly next: string
}

/** What a person should look at before the first rotation. It names fields, and quotes nothing of them. */
export function warningsOf({ shared, stale }: Trial): readonly Warning[] {
  const rewrites = {
    says: `${shared.join(', ')} hold the same text: a rotation rewrites each of them`,
    next: 'If one of them is for another system, move it to a secret of its own first.',
  }
  const leaves = {
    says: `${stale.join(', ')} may hold the old text, too: a rotation does not change that`,
    next: 'Write it as a connection URL, or move it to a secret of its own, if its reader logs in with it.',
  }
  return [...(shared.length === 0 ? [] : [rewrites]), ...(stale.length === 0 ? [] : [leaves])]
}

/** The same error, with the secret's name in its next step. */
export function named(cause: RotationError, shown: string): RotationError {
  if (!cause.next.includes('<ref>')) return cause
  return new RotationError(cause.code, cause.message, {
    next: cause.next.replaceAll('<ref>', shown),
    cause: cause.cause,
    ...optional('field', cause.field),
  })
}
