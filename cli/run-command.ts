import { type Command, CommanderError } from 'commander'
import { createOutput, exitCodes } from './output.js'
import { createProgram } from './program.js'
import type { Terminal } from './terminal.js'
import { usageError } from './usage.js'

/** Carries out one command line, given without the name of the program. A failure is reported in the terminal, with its exit code. */
export async function runCommand(words: readonly string[], terminal: Terminal): Promise<void> {
  const json = words.includes('--json')
  const program = createProgram(terminal, json)
  try {
    await program.parseAsync(words, { from: 'user' })
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause
    if (cause.exitCode === 0) return
    if (cause.code === 'commander.help' && !json)
      terminal.exit(exitCodes.fix) // the help was shown
    else createOutput(json, terminal).failure(usageError(cause, commandIn(program, words)))
  }
}

/** The command that the words name, such as `config check`; empty where they name none. */
function commandIn(command: Command, words: readonly string[]): string {
  const [inner] = words.flatMap((word, at) => {
    const found = command.commands.find((one) => one.name() === word)
    return found === undefined ? [] : [`${word} ${commandIn(found, words.slice(at + 1))}`.trim()]
  })
  return inner ?? ''
}
