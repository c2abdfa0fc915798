import * as v from 'valibot'

/** What is wrong with one place of a configuration: `consumers.billing.keys`, and in words what it lacks or must be. */
export interface Problem {
  readonly path: string
  readonly says: string
}

/** What was read, or what has to be corrected first. */
export type Reading<T> = { readonly output: T } | { readonly problems: readonly [Problem, ...Problem[]] }

/**
 * Reads a value of this form, or finds every place that does not have it. No value is quoted, because it may be a key. The form itself takes a list
 * where an object belongs, as one without members, so lists are looked for first.
 */
export function readForm<F extends v.GenericSchema>(form: F, value: unknown): Reading<v.InferOutput<F>> {
  const lists = listsIn(form, value, [])
  const result = v.safeParse(form, value)
  const isInList = (path: string): boolean => lists.some((list) => path === list || path.startsWith(`${list}.`))
  const found = (result.issues ?? []).map((issue) => ({ path: v.getDotPath(issue) ?? 'the object', says: sayOf(issue) }))
  const [first, ...others] = [
    ...lists.map((path) => ({ path, says: 'must be an object, not a list' })),
    ...found.filter(({ path }) => !isInList(path)),
  ]
  return first === undefined ? { output: result.output } : { problems: [first, ...others] }
}

/** What a schema of Valibot may hold: the members of an object, the forms of a record, a variant, a list or an optional place. */
interface Node {
  readonly type: string
  readonly entries?: unknown
  readonly value?: unknown
  readonly options?: unknown
  readonly item?: unknown
  readonly wrapped?: unknown
}
const isNode = (form: unknown): form is Node => typeof form === 'object' && form !== null && 'type' in form && typeof form.type === 'string'
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** The paths at which a list is where an object belongs. */
function listsIn(form: unknown, value: unknown, path: readonly string[]): readonly string[] {
  if (!isNode(form) || !isObject(value)) return []
  if (form.type === 'optional') return listsIn(form.wrapped, value, path)
  if (form.type === 'array') return Object.entries(value).flatMap(([at, one]) => listsIn(form.item, one, [...path, at]))
  if (!['strict_object', 'record', 'variant'].includes(form.type)) return []
  if (Array.isArray(value)) return [path.join('.')]
  if (form.type === 'variant') return listsInVariant(form.options, value, path)
  return Object.entries(value).flatMap(([at, one]) =>
    listsIn(form.type === 'record' ? form.value : memberOf(form.entries, at), one, [...path, at]),
  )
}

/** A list is one whichever form of a variant is meant. */
function listsInVariant(options: unknown, value: object, path: readonly string[]): readonly string[] {
  const all = Array.isArray(options) ? options.flatMap((form) => listsIn(form, value, path)) : []
  return [...new Set(all)]
}

const memberOf = (entries: unknown, name: string): unknown =>
  isObject(entries) ? Object.entries(entries).find(([each]) => each === name)?.[1] : undefined

/** Says what is wrong without Valibot's own message, which quotes what it received: that may be a key. */
function sayOf(issue: v.BaseIssue<unknown>): string {
  const at = issue.path?.at(-1)
  const isName = at?.origin === 'key'
  const isAtTop = issue.path?.length === 1 || issue.path?.[0]?.key === 'defaults'
  if (isName && isAtTop && at.key === 'targets') return 'is now called consumers'
  if (issue.type === 'strict_object' && isName) return issue.expected === 'never' ? 'is unknown' : 'is missing'
  if (isName && issue.type === 'picklist') return `is unknown; known are ${choicesOf(issue)}`
  const own = issue.message.startsWith('Invalid ') ? undefined : issue.message
  if (own !== undefined) return own
  if (issue.received !== 'undefined') return `must ${wordsOf(issue)}`
  return isChoice(issue) ? `is missing; it must be one of ${choicesOf(issue)}` : 'is missing'
}

const isChoice = ({ type }: v.BaseIssue<unknown>): boolean => type === 'picklist' || type === 'variant'
/** `("a" | "b")` → `a, b` */
const choicesOf = ({ expected }: v.BaseIssue<unknown>): string => (expected ?? '').replace(/[()"]/g, '').replaceAll(' | ', ', ')

const kinds: Readonly<Record<string, string>> = {
  Object: 'be an object',
  Array: 'be a list',
  string: 'be a text',
  boolean: 'be true or false',
  number: 'be a number',
  '!0': 'be a text that is not empty',
}

function wordsOf(issue: v.BaseIssue<unknown>): string {
  const { expected, type } = issue
  const bound = String(issue.requirement)
  const isList = Array.isArray(issue.input)
  const unit = bound === '1' ? (isList ? 'entry' : 'character') : isList ? 'entries' : 'characters'
  if (type === 'variant' && expected !== 'Object') return `be one of ${choicesOf(issue)}`
  if (type === 'picklist') return `be one of ${choicesOf(issue)}`
  if (type === 'min_length') return `have at least ${bound} ${unit}`
  if (type === 'max_length') return `have at most ${bound} ${unit}`
  if (type === 'min_value') return `be at least ${bound}`
  if (type === 'max_value') return `be at most ${bound}`
  if (type === 'integer') return 'be a whole number'
  if (type === 'url') return 'be a URL'
  return kinds[expected ?? ''] ?? `be a valid ${type.replaceAll('_', ' ')}`
}
