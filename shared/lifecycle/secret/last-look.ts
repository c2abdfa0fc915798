import { codeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Code } from '../../core/ports/errors.js'
import type { NotePatch, SecretState, SecretView } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import type { Tools } from './setup.js'

/** Why the current value did not log in when the sweep last looked; undefined where it did, or where another version was current then. */
export function lookCode({ journal, current }: SecretView): Code | undefined {
  const { version, code } = journal?.checked ?? {}
  return version === undefined || version !== current?.id ? undefined : code
}

/** When the target ends the login of the current value, as the sweep last saw it. */
export function lookExpiry({ journal, current }: SecretView): number | undefined {
  const { version, expiresAt } = journal?.checked ?? {}
  return version === undefined || version !== current?.id ? undefined : expiresAt
}

/** What a look found. Without `checkedAt` the next sweep looks again. */
export interface Found {
  readonly version: VersionId
  readonly code?: Code
  readonly checkedAt?: number
  readonly expiresAt?: number
}

/** Notes what a look found. Without the note the secret is looked at once more, which does no harm. */
export async function noteLook({ store }: Tools, state: SecretState, { version, code, checkedAt, expiresAt }: Found): Promise<void> {
  const known = state.journal?.checked
  const before = known?.version === version ? known : undefined
  // A note about another version is only in the way where it says that something is wrong.
  const says = code !== undefined || expiresAt !== undefined
  const isNew = says ? before?.code !== code || before?.expiresAt !== expiresAt : (known?.code ?? known?.expiresAt) !== undefined
  const patch: NotePatch = {
    ...optional('checkedAt', checkedAt),
    ...(isNew ? { checked: { version, ...optional('code', code), ...optional('expiresAt', expiresAt) } } : {}),
  }
  if (Object.keys(patch).length === 0) return
  try {
    await store.note(state, patch)
  } catch (cause) {
    if (!['denied', 'conflict'].includes(codeOf(cause) ?? '')) throw cause
  }
}
