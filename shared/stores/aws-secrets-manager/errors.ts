import { classifyAws, nameOf } from '../../aws/client.js'
import { RotationError } from '../../core/errors.js'
import type { Code } from '../../core/ports/errors.js'
import type { SecretRef } from '../../core/ports/words.js'

/**
 * Every error of the service model (botocore's `service-2.json` of Secrets Manager). A write whose answer was lost may be sent again: versions are
 * idempotent by token, and a label is moved only from where it must be.
 */
export const codes: Readonly<Record<string, Code>> = {
  ResourceNotFoundException: 'not_found',
  ResourceExistsException: 'exists',
  InvalidParameterException: 'bad_event',
  InvalidRequestException: 'bad_event',
  InvalidNextTokenException: 'internal',
  LimitExceededException: 'cap_reached', // a quota, such as that of versions or labels; a value that is too long is a wrong parameter
  PreconditionNotMetException: 'conflict',
  MalformedPolicyDocumentException: 'bad_config',
  PublicPolicyException: 'bad_config',
  DecryptionFailure: 'denied',
  EncryptionFailure: 'denied',
  InternalServiceError: 'unavailable',
}

/** Whether the service does not find the secret or the version. For a while it says so even of what was just written. */
export const isNotFound = (cause: unknown): boolean => nameOf(cause) === 'ResourceNotFoundException'
/** Whether the service has the name already, or keeps another value under the token. */
export const isExists = (cause: unknown): boolean => nameOf(cause) === 'ResourceExistsException'
/** Whether the label was not where the call said, or the version is gone. */
export const isMoved = (cause: unknown): boolean => moved.includes(nameOf(cause))
const moved = ['InvalidParameterException', 'ResourceNotFoundException']

/** Returns the code of a RotationError as it is; an error in no table is unavailable with an HTTP status from 500 on, else internal. */
export const classify = (cause: unknown): Code => classifyAws(cause, codes)

/** Makes a token_spent error: the service never takes a second value under one token. */
export const spentError = (ref: SecretRef, why: string): RotationError =>
  new RotationError('token_spent', `${why}; ${ref.shown} keeps one value for each token.`, {
    next: 'Start a new rotation, with another token or none.',
  })
