import type { CommanderError } from 'commander'
import { RotationError } from '../shared/core/errors.js'

/** What commander says of one kind of mistake, and what we say instead. */
interface Form {
  readonly is: RegExp
  readonly says: (found: readonly string[]) => { readonly message: string; readonly field: string; readonly next?: string }
}

/** `-f, --file <path>` → `file` */
const nameOf = (flags: string): string => /--([a-z-]+)/.exec(flags)?.[1] ?? flags

const oneLine = (text: string): string => text.replace(/\s+/g, ' ')

/** The end of a sentence with the words that commander would have guessed. */
const nearest = (near: string | undefined): string => {
  if (near === undefined) return ''
  return near.includes(', ') ? `; the nearest ones are ${near}` : `; the nearest one is ${near}`
}

const forms: readonly Form[] = [
  {
    is: /^option '(.*?)' argument '(.*)' is invalid\. Allowed choices are (.*)\.$/s,
    says: ([flags = '', given = '', choices = '']) => {
      const field = nameOf(flags)
      return { message: `--${field}: "${oneLine(given)}" is not one of its values.`, field, next: `Use one of ${choices}.` }
    },
  },
  {
    is: /^command-argument value '(.*)' is invalid for argument '(.*?)'\. Allowed choices are (.*)\.$/s,
    says: ([given = '', field = '', choices = '']) => ({
      message: `<${field}>: "${oneLine(given)}" is not one of its values.`,
      field,
      next: `Use one of ${choices}.`,
    }),
  },
  {
    is: /^required option '(.*?)' not specified$/,
    says: ([flags = '']) => ({ message: `The option ${flags} is missing.`, field: nameOf(flags) }),
  },
  {
    is: /^option '(.*?)' argument missing$/,
    says: ([flags = '']) => ({ message: `The option ${flags} has no value.`, field: nameOf(flags) }),
  },
  {
    is: /^unknown (command|option) '(.*?)'(?:\s*\(Did you mean (?:one of )?(.*)\?\))?$/s,
    says: ([field = '', given = '', near]) => ({ message: `The ${field} "${oneLine(given)}" is unknown${nearest(near)}.`, field }),
  },
  { is: /^missing required argument '(.*?)'$/, says: ([field = '']) => ({ message: `The argument <${field}> is missing.`, field }) },
]

/** A wrong word on the command line, in the form of every other failure. `command`: whose help says more; empty for the program's own. */
export function usageError({ code, message }: Pick<CommanderError, 'code' | 'message'>, command: string): RotationError {
  const text = code === 'commander.help' ? 'no command was given' : message.replace(/^error: /, '')
  const help = `See ${['keyturn', command, '--help'].filter((word) => word !== '').join(' ')}.`
  for (const { is, says } of forms) {
    const found = is.exec(text)
    if (found === null) continue
    const { message: said, field, next } = says(found.slice(1))
    return new RotationError('bad_event', said, { field, next: next ?? help })
  }
  return new RotationError('bad_event', sentenceOf(text), { next: help })
}

function sentenceOf(message: string): string {
  const line = oneLine(message)
  const end = /[.?]$/.test(line) ? '' : '.'
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}${end}`
}
