import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { Answer } from '../core/rest/send.js'
import { disabledIn, errorIn, lacksUserProject } from './said.js'

/** What an error of a call has to say: whom was asked, about what, and what a person does about it. */
export interface About {
  /** As people call it: Cloud Tasks. */
  readonly service: string
  /** The API that has to be enabled: cloudtasks.googleapis.com. */
  readonly api: string
  /** What was asked about, as errors name it: projects/P/…. */
  readonly resource: string
  /** What it is: queue. */
  readonly kind: string
  readonly permission: string
  /** How to grant that permission. */
  readonly grant: string
  /** How to make what is missing. */
  readonly make: string
  /** What to check where the service does not take what was sent. */
  readonly check: string
  /** The variable that names the resource. */
  readonly field?: string
}

/**
 * Makes the error of an answer; undefined for one of success. 401 and 403 are denied (bad_config where the API is not enabled), 404 and 400 bad_config, 429
 * throttled, everything else unavailable. The service's own text is read and never passed on: it may quote what was sent.
 */
export function refusedError({ status, body }: Answer, about: About): RotationError | undefined {
  if (status >= 200 && status < 300) return undefined
  const { service, resource, kind, permission } = about
  const { name } = errorIn(body)
  const said = saidOf(status, name)
  const error = (code: RotationError['code'], message: string, next: string): RotationError =>
    new RotationError(code, message, { next, ...optional('field', about.field) })
  if (status === 403 && lacksUserProject(body))
    return error('bad_config', `The ${service} API needs credentials that name a project for their calls (${said}).`, setUserProject(about))
  const disabled = status === 403 ? disabledIn(body) : undefined
  if (disabled !== undefined) {
    const where = disabled.project ?? 'of the credentials'
    return error(
      'bad_config',
      `The ${service} API is not enabled in the project ${where}, for ${resource} (${said}).`,
      enable(about, disabled),
    )
  }
  if (status === 401 || status === 403)
    return error('denied', `${permission} is denied on ${resource}, or the ${kind} does not exist (${said}).`, about.grant)
  if (status === 404) return error('bad_config', `There is no ${kind} ${resource}.`, about.make)
  const later = { next: 'It is sent again later.' }
  if (status === 429) return new RotationError('throttled', `${service} asks for fewer calls to ${resource} (${said}).`, later)
  if (status === 400)
    return new RotationError('bad_config', `${service} does not take what was sent to ${resource} (${said}).`, { next: about.check })
  return new RotationError('unavailable', `${service} did not do what was asked for ${resource} (${said}).`, later)
}

/** The status of an answer as errors show it. */
export const saidOf = (status: number, name: string): string => `${status}${name === '' ? '' : ` ${name}`}`

const enable = ({ api }: About, { project = 'PROJECT' }: { readonly project?: string }): string =>
  `Run gcloud services enable ${api} --project ${project}, and try again after some minutes.`
const setUserProject = ({ api }: About): string =>
  `Run gcloud auth application-default set-quota-project PROJECT, with a project in which ${api} is enabled.`
