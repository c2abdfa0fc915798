import { parsedJson } from '../core/json.js'

/** The status by name and the text of an error of Google's REST interface; empty where there is none. */
export function errorIn(body: string): { readonly name: string; readonly text: string } {
  const { status, message } = membersOf(membersOf(parsedJson(body)).error)
  return {
    name: typeof status === 'string' && /^[A-Z_]{1,40}$/.test(status) ? status : '',
    text: typeof message === 'string' ? message : '',
  }
}
const membersOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {})
