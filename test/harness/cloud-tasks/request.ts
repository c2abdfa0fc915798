/** What the service answers instead of a task: its status and texts as they were seen in the field, where the double knows them. */
export class Refusal extends Error {
  readonly http: number
  readonly status: string
  constructor(http: number, status: string, message: string) {
    super(message)
    this.http = http
    this.status = status
  }
}
export const invalid = (message: string): Refusal => new Refusal(400, 'INVALID_ARGUMENT', message)
export const lacking = (permission: string, resource: string): Refusal =>
  new Refusal(
    403,
    'PERMISSION_DENIED',
    `The principal (user or service account) lacks IAM permission "${permission}" for the resource "${resource}" (or the resource may not exist).`,
  )

/** A task as it was asked for, checked. */
export interface Asked {
  readonly name: string
  /** Epoch milliseconds. */
  readonly scheduleTime: number | undefined
  readonly dispatchDeadlineMs: number
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly oidc: { readonly email: string; readonly audience: string } | undefined
}

type Members = Readonly<Record<string, unknown>>
const dayMs = 86_400_000
const taskBytesMax = 100 * 1024
const methods = ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']

/** Reads the body of tasks.create. Throws a Refusal for what the service does not take. */
export function readCreate(text: string, queue: string, now: number): Asked {
  if (Buffer.byteLength(text) > taskBytesMax) throw invalid('Task size too large')
  const { task } = members(parse(text), 'the body', ['task', 'responseView'])
  const all = ['name', 'scheduleTime', 'dispatchDeadline', 'httpRequest']
  const { name, scheduleTime, dispatchDeadline = '600s', httpRequest } = members(task, 'task', all)
  const asked = members(httpRequest, 'task.http_request', ['url', 'httpMethod', 'headers', 'body', 'oidcToken'])
  const url = string(asked.url, 'url')
  if (!/^https?:\/\//.test(url) || url.length > 2083) throw invalid('HttpRequest.url must start with http:// or https://')
  const method = string(asked.httpMethod ?? 'POST', 'http_method')
  if (!methods.includes(method)) throw invalid(`Invalid value at 'task.http_request.http_method'`)
  const body = string(asked.body ?? '', 'body')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(body) || body.length % 4 !== 0)
    throw invalid(`Invalid value at 'task.http_request.body' (TYPE_BYTES), Base64 decoding failed`)
  return {
    name: taskName(string(name, 'name'), queue),
    scheduleTime: scheduleTime === undefined ? undefined : timeWithin(string(scheduleTime, 'schedule_time'), now),
    dispatchDeadlineMs: deadlineMs(string(dispatchDeadline, 'dispatch_deadline')),
    url,
    method,
    headers: headersOf(asked.headers ?? {}),
    body: Buffer.from(body, 'base64'),
    oidc: asked.oidcToken === undefined ? undefined : oidcOf(asked.oidcToken, url),
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('Invalid JSON payload received.')
  }
}
function members(value: unknown, at: string, known: readonly string[]): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${at} must be an object`)
  for (const name of Object.keys(value))
    if (!known.includes(name)) throw invalid(`Invalid JSON payload received. Unknown name "${name}" at '${at}': Cannot find field.`)
  return { ...value }
}
function string(value: unknown, at: string): string {
  if (typeof value !== 'string') throw invalid(`Invalid value at '${at}' (TYPE_STRING)`)
  return value
}
function headersOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) throw invalid('headers must be an object')
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name.toLowerCase(), string(text, `headers.${name}`)]))
}
function taskName(name: string, queue: string): string {
  const [, parent, id = ''] = /^(.*)\/tasks\/([^/]*)$/.exec(name) ?? []
  if (parent !== queue || !/^[A-Za-z0-9_-]{1,500}$/.test(id)) throw invalid('Task name must be formatted: "<queue>/tasks/<id>"')
  return name
}
/** A time of the past is taken: it means at once. */
function timeWithin(text: string, now: number): number {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw invalid(`Invalid value at 'task.schedule_time' (type.googleapis.com/google.protobuf.Timestamp)`)
  if (time > now + 30 * dayMs) throw invalid('Task.schedule_time must be within 30 days')
  return time
}
function deadlineMs(text: string): number {
  const seconds = /^\d+(\.\d+)?s$/.test(text) ? Number(text.slice(0, -1)) : Number.NaN
  if (!(seconds >= 15 && seconds <= 1800)) throw invalid('Task.dispatch_deadline must be between [15s, 30m]')
  return seconds * 1000
}
function oidcOf(value: unknown, url: string): { readonly email: string; readonly audience: string } {
  const { serviceAccountEmail, audience = url } = members(value, 'task.http_request.oidc_token', ['serviceAccountEmail', 'audience'])
  const email = string(serviceAccountEmail, 'service_account_email')
  if (!/^[^@\s]+@[^@\s]+$/.test(email)) throw invalid('oidc_token.service_account_email must be an email')
  return { email, audience: string(audience, 'audience') }
}
