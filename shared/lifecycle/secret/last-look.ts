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

/** What a look found. Without `checkedAt` the next sweep looks again. */
export interface Found {
  readonly version: VersionId
  readonly code?: Code
  readonly checkedAt?: number
}

/** Notes what a look found. Without the note the secret is looked at once more, which does no harm. */
export async function noteLook({ store }: Tools, state: SecretState, { version, code, checkedAt }: Found): Promise<void> {
  const known = state.journal?.checked
  const isNew = code === undefined ? known?.code !== undefined : known?.code !== code || known.version !== version
  const patch: NotePatch = {
    ...optional('checkedAt', checkedAt),
    ...(isNew ? { checked: { version, ...optional('code', code) } } : {}),
  }
  if (Object.keys(patch).length === 0) return
  try {
    await store.note(state, patch)
  } catch (cause) {
    if (!['denied', 'conflict'].includes(codeOf(cause) ?? '')) throw cause
  }
}
