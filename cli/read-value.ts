import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { RotationError, systemCodeOf } from '../shared/core/errors.js'
import { SecretText } from '../shared/core/secret-text.js'

/** A value from a file, from a pipe, or typed without being shown; never from the command line, which every process can read. One line end at the end is left away. */
export async function readValue(file: string | undefined, what: string): Promise<SecretText> {
  const raw =
    file !== undefined && file !== '-' ? await fromFile(file) : process.stdin.isTTY ? await fromPrompt(what) : await text(process.stdin)
  const value = raw.replace(/\r?\n$/, '')
  if (value !== '') return new SecretText(value)
  throw new RotationError('bad_value', 'The value is empty.', { field: 'value', next: 'Give it in a file, on stdin or at the prompt.' })
}

async function fromFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const code = systemCodeOf(cause)
    if (code === undefined) throw cause
    throw new RotationError('bad_event', `The file ${path} cannot be read (${code}).`, {
      field: 'file',
      next: 'Name a readable file, or give the value on stdin.',
    })
  }
}

const interrupt = '\u0003'
const backspaces = ['\u007f', '\b']

function fromPrompt(what: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(`Value of ${what} (not shown): `)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8').resume()
  return new Promise((resolve, reject) => {
    let typed = ''
    const end = (finish: () => void): void => {
      stdin.setRawMode(false)
      stdin.off('data', read).pause()
      stderr.write('\n')
      finish()
    }
    const read = (chunk: string): void => {
      for (const character of chunk) {
        if (character === interrupt) {
          end(() => reject(new RotationError('bad_event', 'No value was given.', { field: 'value', next: 'Run the command again.' })))
        } else if (character === '\r' || character === '\n') {
          end(() => resolve(typed))
        } else typed = backspaces.includes(character) ? [...typed].slice(0, -1).join('') : typed + character
      }
    }
    stdin.on('data', read)
  })
}
