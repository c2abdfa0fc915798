import { RotationError, systemCodeOf } from '../../core/errors.js'
import type { Code } from '../../core/ports/errors.js'
import { retryAfterMs } from '../../core/retry-after.js'

/**
 * What a call does, if it is repeated. `again`: it may be sent again; its condition or its nature sees to it. `once`: it would have its effect twice,
 * so that after a lost answer the state is read again.
 */
export const calls = {
  getSecret: 'again',
  getVersion: 'again',
  listVersions: 'again',
  listSecrets: 'again',
  setSecret: 'once',
  updateVersion: 'again',
  getDeletedSecret: 'again',
  recoverSecret: 'again',
  readBlob: 'again',
  writeBlob: 'again',
  deleteBlob: 'again',
  listBlobs: 'again',
  createContainer: 'again',
  acquireLease: 'again',
  changeLease: 'again',
  renewLease: 'again',
  releaseLease: 'again',
} as const satisfies Record<string, 'again' | 'once'>
/** A call of a client that the store makes. */
export type Call = keyof typeof calls

/** What a service answered, as far as we decide by it. */
export interface Answer {
  readonly status: number | undefined
  /** The service's own word: `Forbidden`, `ConditionNotMet`. */
  readonly word: string | undefined
  /** A closer one that a vault adds: `SecretDisabled`. */
  readonly inner: string | undefined
  /** Its Retry-After, as it was sent. */
  readonly retryAfter: string | undefined
}

/** An error of a client, with the call that got it: what no answer means depends on the call. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly call: Call
  readonly answer: Answer
  constructor(call: Call, cause: unknown) {
    super(`${call}: ${sayError(cause)}`, { cause })
    this.call = call
    this.answer = answerOf(cause)
  }
}
/** Makes a call; what it throws is a CallError, or one of our own. */
export async function calling<T>(call: Call, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    throw cause instanceof RotationError ? cause : new CallError(call, cause)
  }
}

/** Reads the members of an error of the vendor's clients. Their classes come from more than one package, and are not exported. */
export function answerOf(cause: unknown): Answer {
  const error = propertyOf(propertyOf(cause, 'details'), 'error')
  const inner = propertyOf(propertyOf(error, 'innerError') ?? propertyOf(error, 'innererror'), 'code')
  const status = propertyOf(cause, 'statusCode')
  const words = [propertyOf(cause, 'code'), propertyOf(propertyOf(cause, 'details'), 'errorCode')]
  return {
    status: typeof status === 'number' ? status : undefined,
    word: words.find(isText),
    inner: isText(inner) ? inner : undefined,
    retryAfter: headerOf(propertyOf(propertyOf(cause, 'response'), 'headers'), 'retry-after'),
  }
}
/** The clients give headers as an object with a method. */
function headerOf(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null || !('get' in headers) || typeof headers.get !== 'function') return undefined
  const value: unknown = headers.get(name)
  return isText(value) ? value : undefined
}
const isText = (value: unknown): value is string => typeof value === 'string'
const propertyOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined

/** Words of the services that say more than the status. */
const words: Readonly<Record<string, Code>> = {
  SecretDisabled: 'damaged', // a value that is there and cannot be read: a person did that
  ContainerNotFound: 'bad_config',
  AccountIsDisabled: 'bad_config',
  ServerBusy: 'throttled',
  LeaseAlreadyPresent: 'locked',
}
const statuses: Readonly<Record<number, Code>> = {
  400: 'bad_event',
  401: 'denied',
  403: 'denied',
  404: 'not_found',
  408: 'unavailable',
  409: 'conflict',
  412: 'conflict',
  413: 'too_large',
  429: 'throttled',
}

/**
 * Our code for whatever a call threw; that of a RotationError as it is. A call that may have its effect twice gives `ambiguous` where no answer came.
 */
export function classify(cause: unknown): Code {
  if (cause instanceof RotationError) return cause.code
  const inner = cause instanceof CallError ? cause.cause : cause
  const code = codeOfAnswer(inner)
  return code === 'unavailable' && cause instanceof CallError && calls[cause.call] === 'once' ? 'ambiguous' : code
}
function codeOfAnswer(cause: unknown): Code {
  const { status, word, inner } = answerOf(cause)
  if (status === undefined) {
    if (isCredentialError(cause)) return 'denied'
    if (word === 'ENOTFOUND' || isUntrusted(word)) return 'bad_config'
    return isUnanswered(cause, word) ? 'unavailable' : 'internal'
  }
  return words[inner ?? ''] ?? words[word ?? ''] ?? statuses[status] ?? (status >= 500 ? 'unavailable' : 'internal')
}

/** What the library of credentials throws where it has none, or where none is taken. */
const credentialErrors = [
  'CredentialUnavailableError',
  'AggregateAuthenticationError',
  'AuthenticationError',
  'AuthenticationRequiredError',
]
const isCredentialError = (cause: unknown): boolean => credentialErrors.includes(cause instanceof Error ? cause.name : '')
/** TLS refused the certificate of the host. */
export const isUntrusted = (word: string | undefined): boolean => /CERT|^UNABLE_TO_|^(?:CRL|HOSTNAME)_|SELF_SIGNED/.test(word ?? '')
const noAnswer = [
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'EAI_FAIL',
  'ECONNABORTED',
  'ENETDOWN',
  'EPROTO',
  'ERR_STREAM_PREMATURE_CLOSE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'REQUEST_SEND_ERROR',
  'PARSE_ERROR',
]
const isUnanswered = (cause: unknown, word: string | undefined): boolean =>
  noAnswer.includes(word ?? systemCodeOf(cause) ?? '') || (cause instanceof Error && ['AbortError', 'TimeoutError'].includes(cause.name))

/** How long a service asks to wait, in milliseconds. */
export const askedWaitMs = (cause: unknown, now: number): number | undefined =>
  retryAfterMs(cause instanceof CallError ? cause.answer.retryAfter : undefined, now)

const answerIn = (cause: unknown): Answer | undefined => (cause instanceof CallError ? cause.answer : undefined)
/** Whether the service says that there is no such thing. */
export const isAbsent = (cause: unknown): boolean => answerIn(cause)?.status === 404
/** Whether there is no container at all. */
export const isContainerAbsent = (cause: unknown): boolean => answerIn(cause)?.word === 'ContainerNotFound'
/** Whether the version is there and disabled, so that nobody can read it. */
export const isDisabled = (cause: unknown): boolean => answerIn(cause)?.inner === 'SecretDisabled'
/** Whether the name is that of a secret that was deleted and can be had back. */
export const isDeleted = (cause: unknown): boolean => /^ObjectIs(?:Deleted|BeingDeleted)/.test(answerIn(cause)?.inner ?? '')
/** Whether the service has refused a write because of its condition. */
export const isWord = (cause: unknown, ...some: readonly string[]): boolean => some.includes(answerIn(cause)?.word ?? '')

/** What to say of an error: the words of the service. Never its text, which may quote what was sent. */
export function sayError(cause: unknown): string {
  if (cause instanceof CallError) return sayError(cause.cause)
  const { status, word, inner } = answerOf(cause)
  const name = inner ?? word ?? (cause instanceof Error && cause.name !== 'Error' ? cause.name : undefined)
  if (status === undefined) return name ?? 'no answer'
  return name === undefined ? `status ${status}` : `${status} ${name}`
}
