import { CommanderError } from 'commander'
import { RotationError } from '../shared/core/errors.js'
import { createOutput, exitCodes } from './output.js'
import { createProgram } from './program.js'
import type { Terminal } from './terminal.js'

/** Carries out one command line, given without the name of the program. A failure is reported in the terminal, with its exit code. */
export async function runCommand(words: readonly string[], terminal: Terminal): Promise<void> {
  const json = words.includes('--json')
  try {
    await createProgram(terminal, json).parseAsync(words, { from: 'user' })
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause
    if (cause.exitCode !== 0) reportUsage(cause, json, terminal)
  }
}

/** Reports a wrong option or argument in the same form as every other failure. */
function reportUsage(cause: CommanderError, json: boolean, terminal: Terminal): void {
  const noCommand = cause.code === 'commander.help'
  if (noCommand && !json) {
    terminal.exit(exitCodes.fix) // the help was shown
    return
  }
  const message = noCommand ? 'no command was given.' : cause.message.replace(/^error: /, '')
  createOutput(json, terminal).failure(new RotationError('bad_event', sentenceOf(message), { next: 'See keyturn --help.' }))
}

function sentenceOf(message: string): string {
  const end = /[.)]$/.test(message) ? '' : '.'
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${end}`
}
