import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { addAbortSignal } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { RotationError, systemCodeOf } from '../shared/core/errors.js'
import { SecretText } from '../shared/core/secret-text.js'
import type { Terminal } from './terminal.js'

/** Reads a value from a file, a pipe or a hidden prompt, never from the command line, which every process can read. Drops one final line end. */
export async function readValue(file: string | undefined, what: string, terminal: Terminal): Promise<SecretText> {
  const raw = await rawValue(file, what, terminal)
  const value = raw.replace(/\r?\n$/, '')
  if (value !== '') return new SecretText(value)
  throw new RotationError('bad_value', 'The value is empty.', { field: 'value', next: 'Give it in a file, on stdin or at the prompt.' })
}

async function rawValue(file: string | undefined, what: string, terminal: Terminal): Promise<string> {
  if (file !== undefined && file !== '-') return utf8(await fromFile(file))
  return terminal.stdin.isTTY ? fromPrompt(what, terminal) : utf8(await fromPipe(terminal))
}

async function fromPipe({ cancelled, stdin }: Terminal): Promise<Uint8Array> {
  try {
    return await buffer(addAbortSignal(cancelled, stdin))
  } catch (cause) {
    if (cancelled.aborted) throw refusedError(refusals.interrupted)
    throw cause
  }
}

async function fromFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    const code = systemCodeOf(cause)
    if (code === undefined) throw cause
    throw new RotationError('bad_event', `The file ${path} cannot be read (${code}).`, {
      field: 'file',
      next: 'Name a readable file, or give the value on stdin.',
    })
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

function fromPrompt(what: string, { stdin, stderr }: Terminal): Promise<string> {
  stdin.setRawMode?.(true) // before the prompt: what is typed right after it is not echoed
  stdin.setEncoding('utf8').resume()
  stderr.write(`Value of ${what} (not shown): `)
  return new Promise((resolve, reject) => {
    let text = ''
    const read = (chunk: string): void => {
      const typed = typeOn(text, chunk)
      text = typed.text
      if (typed.end === undefined) return
      stdin.setRawMode?.(false)
      stdin.off('data', read).pause()
      stderr.write('\n')
      if (typed.end === 'done') resolve(text)
      else reject(refusedError(refusals[typed.end]))
    }
    stdin.on('data', read)
  })
}
