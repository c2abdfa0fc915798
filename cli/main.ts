#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import about from '../package.json' with { type: 'json' }
import { RotationError } from '../shared/core/errors.js'
import { adopt } from './commands/adopt.js'
import { audit } from './commands/audit.js'
import { config, schema } from './commands/config.js'
import { get } from './commands/get.js'
import { init } from './commands/init.js'
import { list } from './commands/list.js'
import { plan } from './commands/plan.js'
import { policy } from './commands/policy.js'
import { put } from './commands/put.js'
import { receive } from './commands/receive.js'
import { recover } from './commands/recover.js'
import { release } from './commands/release.js'
import { retire } from './commands/retire.js'
import { revoke } from './commands/revoke.js'
import { rollback } from './commands/rollback.js'
import { rotate } from './commands/rotate.js'
import { seen } from './commands/seen.js'
import { status } from './commands/status.js'
import { sweep } from './commands/sweep.js'
import { verify } from './commands/verify.js'
import { stopOnSignals } from './context.js'
import { createOutput, exitCodes, outliveReaders } from './output.js'

const json = process.argv.includes('--json')
const program = new Command('keyturn')
  .description(about.description)
  .version(about.version)
  .option('--json', 'one JSON object on one line, last on stdout')
  .option('--home <dir>', 'folder of the file store (KEYTURN_HOME; default ~/.keyturn)')
  .option('--verbose', 'every log line, on stderr')
  .showSuggestionAfterError()
  .exitOverride()
  // with --json the one object says everything; the help itself is only wanted when it is asked for
  .configureOutput({ outputError: () => {}, ...(json ? { writeErr: () => {} } : {}) })
  .addHelpText(
    'after',
    '\nExit codes: 0 done · 2 correct something · 3 wait · 4 a person must look · 75 try again\n\nExample:\n  keyturn init && keyturn put file:db --file db.json && keyturn adopt file:db && keyturn rotate file:db',
  )

const commands = [
  init,
  put,
  adopt,
  policy,
  get,
  list,
  status,
  plan,
  rotate,
  sweep,
  verify,
  seen,
  retire,
  rollback,
  revoke,
  recover,
  release,
  receive,
  config,
  schema,
  audit,
]
for (const command of commands) {
  const made = command()
  for (const one of [made, ...made.commands]) one.exitOverride().configureOutput({ outputError: () => {} })
  program.addCommand(made)
}

stopOnSignals()
outliveReaders()
try {
  await program.parseAsync()
} catch (cause) {
  if (!(cause instanceof CommanderError)) throw cause
  if (cause.exitCode !== 0) process.exitCode = usage(cause)
}

/** A wrong option or argument: the same form of answer as everything else. */
function usage(cause: CommanderError): number {
  const noCommand = cause.code === 'commander.help'
  if (noCommand && !json) return exitCodes.fix // the help was shown
  const message = noCommand ? 'no command was given.' : cause.message.replace(/^error: /, '')
  const error = new RotationError('bad_event', `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.)]$/.test(message) ? '' : '.'}`, {
    next: 'See keyturn --help.',
  })
  return createOutput(json).failure(error)
}
