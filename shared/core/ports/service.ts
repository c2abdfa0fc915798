import type { SecretState } from './store.js'
import type { SecretRef, Step, Token } from './words.js'

/**
 * A platform that drives rotations itself: it keeps token, schedule, retries and the pending mark, and calls a function for one step at a time. AWS
 * Secrets Manager under RotateSecret is the only one: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
 */
export interface StepService {
  /**
   * The state as `describe` gives it, read with no more calls than this one step needs. create and finish see the whole description; set and test see
   * the labels that come with the pending value. bad_event if rotation is off, or for a token that the platform did not give; token_spent if the value
   * of this token was given up.
   */
  stepState(ref: SecretRef, token: Token, step: Step): Promise<SecretState>
}

/** A platform that can be asked to begin a rotation of its own. It needs a person's rights, which no deployed function has. */
export interface RotationStarter {
  /** Returns the token at once; the platform continues by itself. It continues an unfinished rotation under that rotation's own token. */
  startNative(ref: SecretRef): Promise<Token>
}
