#!/usr/bin/env node
import { CommanderError } from 'commander'
import { RotationError } from '../shared/core/errors.js'
import { stopOnSignals } from './context.js'
import { createOutput, exitCodes, outliveReaders } from './output.js'
import { createProgram } from './program.js'

const json = process.argv.includes('--json')
// The AWS SDK warns at each start that next year's versions need a newer Node. Which Node is used is our choice, not the user's.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
stopOnSignals()
outliveReaders()
try {
  await createProgram(json).parseAsync()
} catch (cause) {
  if (!(cause instanceof CommanderError)) throw cause
  if (cause.exitCode !== 0) process.exitCode = usage(cause)
}

/** Reports a wrong option or argument in the same form as every other failure. */
function usage(cause: CommanderError): number {
  const noCommand = cause.code === 'commander.help'
  if (noCommand && !json) return exitCodes.fix // the help was shown
  const message = noCommand ? 'no command was given.' : cause.message.replace(/^error: /, '')
  return createOutput(json).failure(new RotationError('bad_event', sentenceOf(message), { next: 'See keyturn --help.' }))
}

function sentenceOf(message: string): string {
  const end = /[.)]$/.test(message) ? '' : '.'
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${end}`
}
