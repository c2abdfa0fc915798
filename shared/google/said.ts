import { parsedJson } from '../core/json.js'
import { optional } from '../core/optional.js'

/** The status by name, the reason in the older form and the text of an error of Google's REST interface; empty where there is none. */
export function errorIn(body: string): { readonly name: string; readonly reason: string; readonly text: string } {
  const { status, message, errors } = membersOf(membersOf(parsedJson(body)).error)
  const { reason } = membersOf(listOf(errors)[0])
  return {
    name: typeof status === 'string' && /^[A-Z_]{1,40}$/.test(status) ? status : '',
    reason: typeof reason === 'string' && /^[A-Za-z_]{1,60}$/.test(reason) ? reason : '',
    text: typeof message === 'string' ? message : '',
  }
}

/** Whether an answer refuses credentials of a person that name no project for their calls. It names a project of gcloud as the one where the API is off. */
export const lacksUserProject = (body: string): boolean => /requires a quota project/.test(errorIn(body).text)

/**
 * Whether an answer refuses because the API is off, and in which project: that of the credentials, which need not be that of what was asked about.
 * undefined: it is on. Nothing but a project's id or number of the text is passed on.
 */
export function disabledIn(body: string): { readonly project?: string } | undefined {
  const { details } = membersOf(membersOf(parsedJson(body)).error)
  const { reason, text } = errorIn(body)
  const info = listOf(details)
    .map(membersOf)
    .find((one) => one.reason === 'SERVICE_DISABLED')
  const said = /has not been used in project (.*?)(?: before)? or it is disabled/.exec(text)
  if (info === undefined && said === null && reason !== 'accessNotConfigured') return undefined
  const { consumer } = membersOf(info?.metadata)
  const named = typeof consumer === 'string' ? consumer.replace(/^projects\//, '') : ''
  const project = [named, said?.[1] ?? ''].find((one) => /^(?:[a-z0-9.-]{1,60}:)?[a-z0-9-]{1,30}$/.test(one))
  return optional('project', project)
}

const membersOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {})
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
