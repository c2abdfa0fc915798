import { isUtf8 } from 'node:buffer'
import { RotationError } from '../shared/core/errors.js'
import { SecretText } from '../shared/core/secret-text.js'
import { readBounded, readStream, tooLargeError } from './read-bounded.js'
import type { Terminal } from './terminal.js'

/**
 * Reads a value from a file, a pipe or a hidden prompt, never from the command line, which every process can read. Drops one final line end.
 * too_large as soon as there is more than the store takes; held where a signal ends the wait.
 */
export async function readValue(file: string | undefined, what: Wanted, terminal: Terminal): Promise<SecretText> {
  const raw = await rawValue(file, what, terminal)
  const value = raw.replace(/\r?\n$/, '')
  if (Buffer.byteLength(value) > what.bytesMax) throw tooLargeError(what.bytesMax) // there was no line end that would not count
  if (value !== '') return new SecretText(value)
  throw new RotationError('bad_value', 'The value is empty.', { field: 'value', next: 'Give it in a file, on stdin or at the prompt.' })
}

/** The name that a prompt shows, and how many bytes the store takes. */
export interface Wanted {
  readonly name: string
  readonly bytesMax: number
}

async function rawValue(file: string | undefined, what: Wanted, terminal: Terminal): Promise<string> {
  const { stdin, cancelled } = terminal
  const isNamed = file !== undefined && file !== '-'
  if (!isNamed && stdin.isTTY) return fromPrompt(what, terminal)
  try {
    return utf8(await (isNamed ? readBounded(file, what.bytesMax, cancelled) : readStream(stdin, what.bytesMax, cancelled)))
  } catch (cause) {
    throw cancelled.aborted ? stoppedError() : cause
  }
}

/** Refuses bytes that are not UTF-8: they would come back as other bytes. */
function utf8(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  throw new RotationError('bad_value', 'The value is not UTF-8 text.', {
    field: 'value',
    next: 'Convert it to UTF-8, or give binary data as base64.',
  })
}

const interrupt = '\u0003'
const enter = ['\r', '\n', '\u0004'] // Ctrl-D ends the input, too
const backspaces = ['\u007f', '\b']

type Typed = { readonly text: string; readonly end?: 'done' | 'interrupted' | 'several lines' }

/** Adds typed characters to the line. A paste of several lines comes as one chunk; its first line alone would be a wrong value. */
function typeOn(before: string, chunk: string): Typed {
  const characters = [...chunk]
  let text = before
  for (const [index, character] of characters.entries()) {
    if (character === interrupt) return { text, end: 'interrupted' }
    if (enter.includes(character)) {
      const more = characters.slice(index + 1).some((each) => !enter.includes(each))
      return { text, end: more ? 'several lines' : 'done' }
    }
    text = backspaces.includes(character) ? [...text].slice(0, -1).join('') : text + character
  }
  return { text }
}

const refusals = {
  interrupted: { why: 'No value was given.', next: 'Run the command again.' },
  'several lines': { why: 'The value has several lines.', next: 'Give it in a file or on stdin.' },
}

const refusedError = ({ why, next }: { readonly why: string; readonly next: string }): RotationError =>
  new RotationError('bad_event', why, { field: 'value', next })

const stoppedError = (): RotationError =>
  new RotationError('held', 'Interrupted before a value was given.', { field: 'value', next: 'Run the same command again.' })

function fromPrompt({ name, bytesMax }: Wanted, { stdin, stderr, cancelled }: Terminal): Promise<string> {
  stdin.setRawMode?.(true) // before the prompt: what is typed right after it is not echoed
  stdin.setEncoding('utf8').resume()
  stderr.write(`Value of ${name} (not shown): `)
  return new Promise((resolve, reject) => {
    let text = ''
    let isDone = false
    const done = (end: () => void): void => {
      if (isDone) return
      isDone = true
      stdin.setRawMode?.(false)
      stdin.off('data', read).pause()
      cancelled.removeEventListener('abort', stop)
      stderr.write('\n')
      end()
    }
    const stop = (): void => done(() => reject(stoppedError()))
    const gone = (): void => done(() => reject(refusedError(refusals.interrupted))) // the terminal was closed
    const read = (chunk: string): void => {
      const typed = typeOn(text, chunk)
      text = typed.text
      const { end } = typed
      if (end === 'done') done(() => resolve(text))
      else if (end !== undefined) done(() => reject(refusedError(refusals[end])))
      else if (Buffer.byteLength(text) > bytesMax) done(() => reject(tooLargeError(bytesMax)))
    }
    cancelled.addEventListener('abort', stop, { once: true })
    stdin.on('data', read).on('end', gone).on('error', gone)
  })
}
