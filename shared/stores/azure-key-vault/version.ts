import type { VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Tags } from './tags.js'

/** A version without its value. */
export interface Version {
  readonly id: VersionId
  /** Whole seconds, as epoch milliseconds. */
  readonly madeAt: number
  readonly isEnabled: boolean
  readonly tags: Tags
  readonly contentType?: string
  /** Epoch milliseconds. The service only notifies. */
  readonly expiresAt?: number
}
/** A version with its value. */
export interface Valued extends Version {
  readonly value: SecretText
}
