import type { SecretState } from './store.js'
import type { SecretRef, Step, Token } from './words.js'

/**
 * A platform that drives rotations itself: it keeps token, schedule, retries and the pending mark, and calls a function for one step at a time. AWS
 * Secrets Manager under RotateSecret is the only one: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
 */
export interface StepService {
  /**
   * The state as `describe` gives it, looked at with no more calls than this one step needs. create and finish see the whole description; set and test
   * the labels that come with the pending value. bad_event when rotation is off, or for a token that the platform did not give; token_spent when the
   * value of this token was given up.
   */
  stepState(ref: SecretRef, token: Token, step: Step): Promise<SecretState>
}

/** A platform that can be asked to begin a rotation of its own. Needs a person's rights: no deployed function has it. */
export interface RotationStarter {
  /** Returns at once with the token; the platform goes on by itself. A rotation that is not finished is gone on with, under its own token. */
  startNative(ref: SecretRef): Promise<Token>
}
