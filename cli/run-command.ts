import { CommanderError } from 'commander'
import { RotationError } from '../shared/core/errors.js'
import { createOutput, exitCodes } from './output.js'
import { createProgram } from './program.js'
import type { Terminal } from './terminal.js'

/** Carries out one command line, without the name of the program; a failure is said in the terminal, with its exit code. */
export async function runCommand(words: readonly string[], terminal: Terminal): Promise<void> {
  const json = words.includes('--json')
  try {
    await createProgram(terminal, json).parseAsync(words, { from: 'user' })
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause
    if (cause.exitCode !== 0) failUsage(cause, json, terminal)
  }
}

/** A wrong option or argument: the same form of answer as everything else. */
function failUsage(cause: CommanderError, json: boolean, terminal: Terminal): void {
  const noCommand = cause.code === 'commander.help'
  if (noCommand && !json) {
    terminal.exit(exitCodes.fix) // the help was shown
    return
  }
  const message = noCommand ? 'no command was given.' : cause.message.replace(/^error: /, '')
  const error = new RotationError('bad_event', `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.)]$/.test(message) ? '' : '.'}`, {
    next: 'See keyturn --help.',
  })
  createOutput(json, terminal).failure(error)
}
