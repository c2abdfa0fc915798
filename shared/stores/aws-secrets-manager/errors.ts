import { messageOf, RotationError, systemCodeOf } from '../../core/errors.js'
import type { Code } from '../../core/ports/errors.js'

/**
 * Every error of the service model (botocore's `service-2.json` of Secrets Manager), those common to all of AWS, and what the SDK throws when no
 * answer came. A write whose answer was lost may be sent again: versions are idempotent by token, labels are moved from where they must be.
 */
const codes: Readonly<Record<string, Code>> = {
  ResourceNotFoundException: 'not_found',
  ResourceExistsException: 'exists',
  InvalidParameterException: 'bad_event',
  InvalidRequestException: 'bad_event',
  InvalidNextTokenException: 'internal',
  LimitExceededException: 'too_large',
  PreconditionNotMetException: 'conflict',
  MalformedPolicyDocumentException: 'bad_config',
  PublicPolicyException: 'bad_config',
  DecryptionFailure: 'denied',
  EncryptionFailure: 'denied',
  InternalServiceError: 'unavailable',
  ValidationException: 'bad_event',
  ThrottlingException: 'throttled',
  Throttling: 'throttled',
  TooManyRequestsException: 'throttled',
  RequestLimitExceeded: 'throttled',
  ServiceUnavailable: 'unavailable',
  InternalFailure: 'unavailable',
  AccessDeniedException: 'denied',
  AccessDenied: 'denied',
  UnrecognizedClientException: 'denied',
  InvalidClientTokenId: 'denied',
  IncompleteSignature: 'denied',
  MissingAuthenticationToken: 'denied',
  InvalidSignatureException: 'denied',
  SignatureDoesNotMatch: 'denied',
  ExpiredTokenException: 'denied',
  RequestExpired: 'denied',
  OptInRequired: 'denied',
  CredentialsProviderError: 'denied',
  TimeoutError: 'unavailable',
  AbortError: 'unavailable',
}
const noAnswer = ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']

export const nameOf = (cause: unknown): string => (cause instanceof Error ? cause.name : '')
export const isNotFound = (cause: unknown): boolean => nameOf(cause) === 'ResourceNotFoundException'
export const isExists = (cause: unknown): boolean => nameOf(cause) === 'ResourceExistsException'
/** The label was not where the call said, or the version is gone. */
export const isMoved = (cause: unknown): boolean => ['InvalidParameterException', 'ResourceNotFoundException'].includes(nameOf(cause))

export function classify(cause: unknown): Code {
  if (cause instanceof RotationError) return cause.code
  const known = codes[nameOf(cause)]
  if (known !== undefined) return known
  if (messageOf(cause).startsWith('Region is missing')) return 'bad_config'
  if (noAnswer.includes(systemCodeOf(cause) ?? '')) return 'unavailable'
  const status = statusOf(cause)
  return status !== undefined && status >= 500 ? 'unavailable' : 'internal'
}

function statusOf(cause: unknown): number | undefined {
  const metadata = typeof cause === 'object' && cause !== null && '$metadata' in cause ? cause.$metadata : undefined
  const status = typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata ? metadata.httpStatusCode : undefined
  return typeof status === 'number' ? status : undefined
}
