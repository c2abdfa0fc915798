import { parsedJson } from '../core/json.js'

/** The status by name, the reason in the older form and the text of an error of Google's REST interface; empty where there is none. */
export function errorIn(body: string): { readonly name: string; readonly reason: string; readonly text: string } {
  const { status, message, errors } = membersOf(membersOf(parsedJson(body)).error)
  const { reason } = membersOf(Array.isArray(errors) ? errors[0] : undefined)
  return {
    name: typeof status === 'string' && /^[A-Z_]{1,40}$/.test(status) ? status : '',
    reason: typeof reason === 'string' && /^[A-Za-z_]{1,60}$/.test(reason) ? reason : '',
    text: typeof message === 'string' ? message : '',
  }
}
const membersOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {})
