import { RotationError, systemCodeOf } from '../../core/errors.js'
import type { Code } from '../../core/ports/errors.js'
import { noCredentialsError, refusedError, tokenError, unreachedError } from './credentials.js'
import { placeSuffix } from './names.js'

/**
 * What a call does, if it is repeated. `again`: it may be sent again; its etag or its nature sees to it. `once`: it would have its effect twice, so that
 * after a lost answer the state is read again.
 */
export const calls = {
  listSecrets: 'again',
  getSecret: 'again',
  listSecretVersions: 'again',
  getSecretVersion: 'again',
  accessSecretVersion: 'again',
  updateSecret: 'again',
  deleteSecret: 'again',
  enableSecretVersion: 'again',
  disableSecretVersion: 'again',
  destroySecretVersion: 'again',
  createSecret: 'once',
  addSecretVersion: 'once',
} as const satisfies Record<string, 'again' | 'once'>
/** A call of the client that the store makes. */
export type Call = keyof typeof calls

/** Every status of gRPC by its number: its name, the status of HTTP that the REST interface gives for it, and our code. */
export const statuses: readonly (readonly [name: string, http: number, code: Code])[] = [
  ['OK', 200, 'internal'], // it is not an error
  ['CANCELLED', 499, 'unavailable'],
  ['UNKNOWN', 500, 'unavailable'],
  ['INVALID_ARGUMENT', 400, 'bad_event'],
  ['DEADLINE_EXCEEDED', 504, 'unavailable'],
  ['NOT_FOUND', 404, 'not_found'],
  ['ALREADY_EXISTS', 409, 'exists'],
  ['PERMISSION_DENIED', 403, 'denied'],
  ['RESOURCE_EXHAUSTED', 429, 'throttled'],
  ['FAILED_PRECONDITION', 400, 'conflict'], // a lost race, unless the text names the state of a version
  ['ABORTED', 409, 'conflict'],
  ['OUT_OF_RANGE', 400, 'bad_event'],
  ['UNIMPLEMENTED', 501, 'internal'],
  ['INTERNAL', 500, 'unavailable'],
  ['UNAVAILABLE', 503, 'unavailable'],
  ['DATA_LOSS', 500, 'damaged'],
  ['UNAUTHENTICATED', 401, 'denied'],
]
/** Reasons that the platform gives beside PERMISSION_DENIED (google.rpc.ErrorInfo) and that no permission would fix. */
const reasons: Readonly<Record<string, Code>> = { SERVICE_DISABLED: 'bad_config', CONSUMER_INVALID: 'bad_config' }
const noCredentials = /^Could not load the default credentials/
/** What the client throws before it sends anything. */
const unsent: readonly (readonly [text: RegExp, code: Code])[] = [
  [noCredentials, 'denied'],
  [/^Unable to detect a Project Id/, 'bad_config'],
  [/^The configured universe domain/, 'bad_config'],
  [/^Invalid .*credentials|invalid_grant/, 'denied'],
]
const noAnswer = ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']
const hasNoAnswer = (cause: unknown): boolean => noAnswer.includes(systemCodeOf(cause) ?? '')

/** An error of the client, with the call that got it: what FAILED_PRECONDITION or no answer means depends on the call. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly call: Call
  constructor(call: Call, cause: unknown) {
    super(`${call}: ${sayError(cause)}`, { cause })
    this.call = call
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

/**
 * Our code for whatever a call threw; that of a RotationError as it is. A call that may have its effect twice gives `ambiguous` where no answer came.
 * A value in a disabled version is there and cannot be read (`damaged`: a person did that), a destroyed one is gone (`not_found`).
 */
export function classify(cause: unknown): Code {
  if (cause instanceof RotationError) return cause.code
  if (!(cause instanceof CallError)) return codeOfStatus(cause)
  const unsent = tokenError(cause.cause, '')
  if (unsent !== undefined) return unsent.code
  const code = codeOfStatus(cause.cause)
  if (code === 'conflict' && cause.call === 'accessSecretVersion') return 'damaged'
  return code === 'unavailable' && calls[cause.call] === 'once' ? 'ambiguous' : code
}
function codeOfStatus(cause: unknown): Code {
  const status = statusOf(cause)
  if (status === undefined) {
    const known = unsent.find(([text]) => text.test(textOf(cause)))
    return known?.[1] ?? (hasNoAnswer(cause) ? 'unavailable' : 'internal')
  }
  const [name, , code = 'internal'] = statuses[status] ?? []
  if (name === 'PERMISSION_DENIED') return reasons[reasonOf(cause) ?? ''] ?? code
  const state = name === 'FAILED_PRECONDITION' ? stateIn(cause) : undefined
  return state === undefined ? code : state === 'DESTROYED' ? 'not_found' : 'damaged'
}

/** Whether the service says that the version is in this state, whatever it was asked to do. */
export const isInState = (cause: unknown, state: 'DISABLED' | 'DESTROYED'): boolean =>
  stateIn(cause instanceof CallError ? cause.cause : cause) === state
const stateIn = (cause: unknown): string | undefined => / is in (DISABLED|DESTROYED) state\.?$/.exec(textOf(cause))?.[1]

/** The number of the gRPC status. The REST interface gives the status of HTTP instead, and the name in the JSON that is its message. */
export function statusOf(cause: unknown): number | undefined {
  const code = propertyOf(cause, 'code')
  const number = typeof code === 'number' ? code : typeof code === 'string' && /^\d+$/.test(code) ? Number(code) : undefined
  if (number === undefined || (number >= 0 && number < statuses.length)) return number
  const named = restOf(cause)?.status
  const found = statuses.findIndex(([name, http]) => (named === undefined ? http === number : name === named))
  return found >= 0 ? found : statuses.findIndex(([name]) => name === (number >= 500 ? 'UNKNOWN' : 'INVALID_ARGUMENT'))
}

/** The error in the message of the REST interface. */
function restOf(cause: unknown): { readonly status?: unknown; readonly message?: unknown; readonly details?: unknown } | undefined {
  const text = cause instanceof Error ? cause.message : ''
  if (!text.startsWith('{') && !text.startsWith('[')) return undefined
  try {
    const read: unknown = JSON.parse(text)
    const error = propertyOf(Array.isArray(read) ? read[0] : read, 'error')
    return typeof error === 'object' && error !== null ? error : undefined
  } catch {
    return undefined // not JSON after all: the status of HTTP decides
  }
}
function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined
}
/** The service's own text. The client puts the number and the name of the status before it. */
function textOf(cause: unknown): string {
  const message = restOf(cause)?.message
  if (typeof message === 'string') return message
  return cause instanceof Error ? cause.message.replace(/^\d+ [A-Z_]+: /, '') : ''
}

/** What the platform adds to an error (google.rpc.ErrorInfo): by gRPC as a property, by REST in the JSON; else what its text says. */
function reasonOf(cause: unknown): string | undefined {
  const details = restOf(cause)?.details
  const reasons = [cause, ...(Array.isArray(details) ? details : [])].map((one) => propertyOf(one, 'reason'))
  const reason = reasons.find((one) => typeof one === 'string')
  if (typeof reason === 'string') return reason
  if (/has not been used in project .* or it is disabled/.test(textOf(cause))) return 'SERVICE_DISABLED'
  return /^Permission denied on resource project /.test(textOf(cause)) ? 'CONSUMER_INVALID' : undefined
}

/** What to say of an error: the name of its status; for a denied permission, which. Never the service's text, which may quote what was sent. */
export function sayError(cause: unknown): string {
  if (cause instanceof CallError) return sayError(cause.cause)
  const status = statusOf(cause)
  const name = status === undefined ? (systemCodeOf(cause) ?? 'no answer') : (statuses[status]?.[0] ?? `status ${status}`)
  const permission = permissionOf(cause)
  return permission === undefined ? name : `${name}: ${permission}`
}
const permissionOf = (cause: unknown): string | undefined => /^Permission '([a-zA-Z.]+)' denied/.exec(textOf(cause))?.[1]

/** What an error is about. */
export interface About {
  /** The secret or the project. */
  readonly shown: string
  /** The host that was called. */
  readonly host?: string
}

/**
 * Makes the error for what a person can fix: credentials, the network, a permission, an API that is not enabled, a project. undefined for every other error,
 * and where a call may have had its effect.
 */
export function setupError(cause: unknown, { shown, host }: About): RotationError | undefined {
  const inner = cause instanceof CallError ? cause.cause : cause
  if (noCredentials.test(textOf(inner))) return noCredentialsError(cause, shown)
  const token = tokenError(inner, shown)
  if (token !== undefined) return token
  const status = statuses[statusOf(inner) ?? 0]?.[0]
  if (status === 'UNAUTHENTICATED') return refusedError(cause, shown, status)
  if (status === 'PERMISSION_DENIED') return permissionError(cause, inner, shown)
  const isUnreached = host !== undefined && classify(cause) === 'unavailable' && (unreached.includes(status ?? '') || hasNoAnswer(inner))
  return isUnreached ? unreachedError(cause, shown, host, sayError(inner)) : undefined
}
/** A service that is there answers with another status. */
const unreached = ['UNAVAILABLE', 'DEADLINE_EXCEEDED']

function permissionError(cause: unknown, inner: unknown, shown: string): RotationError {
  const code = codeOfStatus(inner)
  const reason = reasonOf(inner)
  if (reason === 'SERVICE_DISABLED') {
    const project = /in project (\S+) before/.exec(textOf(inner))?.[1] ?? 'PROJECT'
    return new RotationError(code, `The Secret Manager API is not enabled in project ${project}, which has ${shown}.`, {
      cause,
      next: `Run gcloud services enable secretmanager.googleapis.com --project=${project}, and try again after some minutes.`,
    })
  }
  if (reason === 'CONSUMER_INVALID') {
    return new RotationError(code, `The project of ${shown} does not exist, or this identity may not use it.`, {
      cause,
      field: 'ref',
      next: 'Check the project id in the name of the secret.',
    })
  }
  const permission = permissionOf(inner)
  const on = onProject.includes(permission ?? '') && isSecret(shown) ? `the project of ${shown}` : shown
  return new RotationError(code, `${permission ?? 'A permission'} is denied on ${on}, or ${on} does not exist.`, {
    cause,
    next: grantNext(permission, shown),
  })
}
const isSecret = (shown: string): boolean => shown.includes('/secrets/')

/** What the platform asks for on the project, because the secret is not there yet, or is not one alone. */
const onProject = ['secretmanager.secrets.list', 'secretmanager.secrets.create']
function grantNext(permission: string | undefined, shown: string): string {
  const ref = shown.endsWith(placeSuffix) ? shown.slice(0, -placeSuffix.length) : shown
  const prints = `keyturn permissions ${isSecret(ref) ? ref : `${ref}/secrets/NAME`} prints what is needed`
  if (permission === undefined) return `Check the roles of this identity: ${prints}.`
  const on = onProject.includes(permission) ? 'the project' : 'the secret'
  const gone =
    ref !== shown && permission === 'secretmanager.secrets.get'
      ? ` A staging place that is gone is denied, too: then a person runs keyturn recover ${ref} --yes.`
      : ''
  return `Grant a role with ${permission} on ${on}, and check the name: ${prints}.${gone}`
}
