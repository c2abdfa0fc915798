import { messageOf, RotationError, systemCodeOf } from '../core/errors.js'
import type { Code } from '../core/ports/errors.js'

/** What every service of AWS may answer, whatever it was asked, and what the SDK throws when no answer came. */
const common: Readonly<Record<string, Code>> = {
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
  ExpiredToken: 'denied',
  RequestExpired: 'denied',
  OptInRequired: 'denied',
  CredentialsProviderError: 'denied',
  TimeoutError: 'unavailable',
  AbortError: 'unavailable',
}
const noAnswer = ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']

/** The name that the SDK gives an error, such as ThrottlingException; empty for what is not an Error. */
export const nameOf = (cause: unknown): string => (cause instanceof Error ? cause.name : '')

/** `own`: the errors of one service's model, by the name that the SDK gives them. */
export function classifyAws(cause: unknown, own: Readonly<Record<string, Code>>): Code {
  if (cause instanceof RotationError) return cause.code
  const known = own[nameOf(cause)] ?? common[nameOf(cause)]
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

/** What to say of an error of a call: that it was not answered in time, else the name that the SDK gives it. */
export const sayError = (cause: unknown): string => (nameOf(cause) === late ? messageOf(cause) : nameOf(cause))
const late = 'TimeoutError'

/** A step of a client that puts the SDK's own text about a timeout, which speaks of sockets and options, into words for people. */
export const explainTimeouts =
  <I, O>(next: (args: I) => Promise<O>) =>
  async (args: I): Promise<O> => {
    try {
      return await next(args)
    } catch (cause) {
      throw nameOf(cause) === late ? timeoutError(cause) : cause
    }
  }

function timeoutError(cause: unknown): Error {
  const text = messageOf(cause)
  const ms = Number(/(\d+) ms/.exec(text)?.[1])
  const what = /establish a connection/.test(text) ? 'no connection to AWS' : 'no answer from AWS'
  const error = new Error(Number.isNaN(ms) ? `${what} in time` : `${what} within ${ms / 1000} s`, { cause })
  error.name = late
  return error
}

/** One attempt a call: the guard repeats, counts and records, and asks `classify` first. Calls end after ten seconds; by itself the SDK only warns. */
export const clientDefaults = {
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 3000, requestTimeout: 10_000, throwOnRequestTimeout: true },
}
