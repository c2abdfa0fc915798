import { RotationError } from '../core/errors.js'
import { parsedJson } from '../core/json.js'
import { optional } from '../core/optional.js'
import type { Answer } from '../core/rest/send.js'

/** What an error of a call has to say: whom was asked, about what, and what a person does about it. */
export interface About {
  /** As people call it: Event Grid. */
  readonly service: string
  /** What was asked about, as errors name it. */
  readonly resource: string
  /** What it is: topic. */
  readonly kind: string
  /** The action of a role that the call needs. */
  readonly permission: string
  /** How to grant that permission. */
  readonly grant: string
  /** How to make what is missing. */
  readonly make: string
  /** What to check where the service does not take what was sent. */
  readonly check: string
  /** The setting that names the resource. */
  readonly field?: string
}

/**
 * The code of an error of Azure's REST interfaces; empty where there is none, or only the status once more, as Event Grid has it. Its text may quote
 * what was sent, and is read by nobody.
 */
export function codeIn(body: string): string {
  const { code } = membersOf(membersOf(parsedJson(body)).error)
  return typeof code === 'string' && /^[A-Za-z][A-Za-z0-9_.]{0,59}$/.test(code) ? code : ''
}

/**
 * Makes the error of an answer; undefined for one of success. 401 and 403 are denied; 400, 404, 410, 413 and 415 are bad_config; 429 is throttled, and
 * everything else unavailable.
 */
export function refusedError({ status, body }: Answer, about: About): RotationError | undefined {
  if (status >= 200 && status < 300) return undefined
  const { service, resource, kind, permission } = about
  const said = saidOf(status, codeIn(body))
  const error = (code: RotationError['code'], message: string, next: string): RotationError =>
    new RotationError(code, message, { next, ...optional('field', about.field) })
  if (status === 401 || status === 403) return error('denied', `${permission} is denied on ${resource} (${said}).`, about.grant)
  if (status === 404 || status === 410) return error('bad_config', `There is no ${kind} ${resource} (${said}).`, about.make)
  if (status === 400 || status === 413 || status === 415)
    return error('bad_config', `${service} does not take what was sent to ${resource} (${said}).`, about.check)
  const later = { next: 'It is sent again later.' }
  if (status === 429) return new RotationError('throttled', `${service} asks for fewer calls to ${resource} (${said}).`, later)
  return new RotationError('unavailable', `${service} did not do what was asked for ${resource} (${said}).`, later)
}

/** The status of an answer as errors show it. */
export const saidOf = (status: number, code: string): string => `${status}${code === '' ? '' : ` ${code}`}`

const membersOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {})
