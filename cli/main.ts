#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import about from '../package.json' with { type: 'json' }
import { RotationError } from '../shared/core/errors.js'
import { adopt } from './commands/adopt.js'
import { get } from './commands/get.js'
import { init } from './commands/init.js'
import { list } from './commands/list.js'
import { policy } from './commands/policy.js'
import { put } from './commands/put.js'
import { rotate } from './commands/rotate.js'
import { status } from './commands/status.js'
import { verify } from './commands/verify.js'
import { stopOnSignals } from './context.js'
import { createOutput, exitCodes } from './output.js'

const program = new Command('keyturn')
  .description(about.description)
  .version(about.version)
  .option('--json', 'one JSON object on one line, last on stdout')
  .option('--home <dir>', 'folder of the file store (KEYTURN_HOME; default ~/.keyturn)')
  .option('--verbose', 'every log line, on stderr')
  .showSuggestionAfterError()
  .exitOverride()
  .configureOutput({ outputError: () => {} })
  .addHelpText(
    'after',
    '\nExit codes: 0 done · 2 correct something · 3 wait · 4 a person must look · 75 try again\n\nExample:\n  keyturn init && keyturn put file:db --file db.json && keyturn adopt file:db && keyturn rotate file:db',
  )

for (const command of [init, put, adopt, policy, get, list, status, rotate, verify]) {
  program.addCommand(
    command()
      .exitOverride()
      .configureOutput({ outputError: () => {} }),
  )
}

stopOnSignals()
try {
  await program.parseAsync()
} catch (cause) {
  if (!(cause instanceof CommanderError)) throw cause
  if (cause.exitCode !== 0) process.exitCode = usage(cause)
}

/** A wrong option or argument: the same form of answer as everything else. */
function usage(cause: CommanderError): number {
  if (cause.code === 'commander.help') return exitCodes.fix // no command given: the help was shown
  const message = cause.message.replace(/^error: /, '')
  const error = new RotationError(
    'bad_event',
    `${message.charAt(0).toUpperCase()}${message.slice(1)}${message.endsWith('?)') ? '' : '.'}`,
    { next: 'See keyturn --help.' },
  )
  return createOutput(process.argv.includes('--json')).failure(error)
}
