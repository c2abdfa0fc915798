import { type Node, parseTree } from 'jsonc-parser'
import { RotationError } from '../errors.js'

/** One top-level string field of a JSON object, with the place of its literal in the text. */
export interface JsonField {
  readonly name: string
  readonly value: unknown
  readonly offset: number
  readonly length: number
}

/** Whether the first character is a brace; the rest is not checked. */
export const looksLikeJson = (text: string): boolean => text.trimStart().startsWith('{')

/** The top-level fields in their order. bad_value for malformed JSON (position only: the text is secret) or a name that occurs twice. */
export function jsonFields(text: string): readonly JsonField[] {
  let root: Node | undefined
  try {
    JSON.parse(text)
    root = parseTree(text, [], { disallowComments: true })
  } catch (cause) {
    if (cause instanceof RangeError) throw malformedError('is nested too deeply to be read')
    if (!(cause instanceof SyntaxError)) throw cause
    throw malformedError(`is not well-formed JSON${positionIn(cause.message)}`) // the parser's message quotes the text, so it must not become the cause
  }
  const fields = (root?.children ?? []).flatMap((property) => {
    const [name, node] = property.children ?? []
    if (name === undefined || node === undefined) return []
    const { offset, length } = node
    return [{ name: String(name.value), value: literalAt(node, text), offset, length }]
  })
  const twice = fields.find((field, index) => fields.findIndex(({ name }) => name === field.name) !== index)
  if (twice) throw malformedError(`names the field "${twice.name}" twice`)
  return fields
}

/** The text with some fields' values replaced; every other byte stays: order, white space, the way numbers are written. */
export function replaceFields(text: string, changes: ReadonlyMap<string, string>): string {
  const changed = jsonFields(text).filter(({ name }) => changes.has(name))
  let out = text
  for (const { name, offset, length } of changed.sort((a, b) => b.offset - a.offset)) {
    out = out.slice(0, offset) + JSON.stringify(changes.get(name)) + out.slice(offset + length) // from the end, so that offsets stay right
  }
  return out
}

const literalAt = (node: Node, text: string): unknown => JSON.parse(text.slice(node.offset, node.offset + node.length))
const positionIn = (message: string): string => /at position \d+/.exec(message)?.[0].replace(/^/, ' ') ?? ''
const malformedError = (why: string): RotationError =>
  new RotationError('bad_value', `The value ${why}.`, {
    field: 'value',
    next: 'Put the value again as one JSON object, for example {"host":"…","username":"…","password":"…"}.',
  })
