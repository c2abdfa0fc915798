import { badArgument, maxima } from './model.js'

/** What a filter may ask of a resource, by the name of a field; undefined where the field is empty. */
export type Fields = (field: string) => string | undefined
type Test = (fields: Fields) => boolean

/**
 * The filter of a list, as AIP-160 has it and as far as this service documents it: comparisons of fields with `:` (contains; `*`: is there), `=`, `!=` and
 * the orders, joined by AND, OR and NOT. OR binds tighter than AND.
 */
export function filterOf(text: string, known: (field: string) => boolean): Test {
  const tokens = text.match(/\(|\)|-(?=[a-z])|[\w.-]+\s*(?:!=|<=|>=|[:=<>])\s*(?:"[^"]*"|[^\s()]+)|[^\s()]+/g) ?? []
  let at = 0
  const wrong = (): Error => badArgument(`Invalid filter [${text}].`)
  const comparison = (): Test => {
    const [, field = '', operator = '', value = ''] = /^([\w.-]+?)\s*(!=|<=|>=|[:=<>])\s*(.+)$/s.exec(tokens[at++] ?? '') ?? []
    if (!known(field)) throw wrong()
    const wanted = value.replace(/^"(.*)"$/s, '$1')
    return (fields) => compares(fields(field), operator, wanted)
  }
  const term = (): Test => {
    if (tokens[at] === 'NOT' || tokens[at] === '-') {
      at += 1
      const inner = term()
      return (fields) => !inner(fields)
    }
    if (tokens[at] !== '(') return comparison()
    at += 1
    const inner = all()
    if (tokens[at++] !== ')') throw wrong()
    return inner
  }
  const any = (): Test => {
    const tests = [term()]
    while (tokens[at] === 'OR') {
      at += 1
      tests.push(term())
    }
    return (fields) => tests.some((test) => test(fields))
  }
  const all = (): Test => {
    const tests = [any()]
    while (at < tokens.length && tokens[at] !== ')') {
      if (tokens[at] === 'AND') at += 1
      tests.push(any())
    }
    return (fields) => tests.every((test) => test(fields))
  }
  if (tokens.length === 0) return () => true
  const test = all()
  if (at < tokens.length) throw wrong()
  return test
}

function compares(has: string | undefined, operator: string, wanted: string): boolean {
  if (operator === '!=') return has !== wanted
  if (has === undefined) return false
  if (operator === ':') return wanted === '*' || has.toLowerCase().includes(wanted.toLowerCase())
  if (operator === '=') return has === wanted
  const [left, right] = [Date.parse(has), Date.parse(wanted)]
  return operator === '<' ? left < right : operator === '>' ? left > right : operator === '<=' ? left <= right : left >= right
}

export interface PageRequest {
  readonly pageSize?: number | null
  readonly pageToken?: string | null
}
/**
 * One page, newest first. The token says where the next one begins, so that what is created meanwhile moves nothing: the service does not promise more
 * than that the token continues the list.
 */
export function pageOf<T>(newestFirst: readonly T[], orderOf: (one: T) => number, request: PageRequest, sizeMax: number) {
  const asked = request.pageSize || maxima.pageSize
  if (asked < 0) throw badArgument('page_size cannot be negative.')
  const size = Math.min(asked, sizeMax, maxima.pageSize)
  const token = request.pageToken ? Number(Buffer.from(request.pageToken, 'base64url').toString()) : Number.POSITIVE_INFINITY
  if (Number.isNaN(token)) throw badArgument('Invalid page token.')
  const rest = newestFirst.filter((one) => orderOf(one) < token)
  const page = rest.slice(0, size)
  const last = page.at(-1)
  const nextPageToken = rest.length > page.length && last !== undefined ? Buffer.from(String(orderOf(last))).toString('base64url') : ''
  return { page, nextPageToken }
}
