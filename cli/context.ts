import type { Command } from 'commander'
import { writerOf } from '../shared/app/audit-file.js'
import { readConfig } from '../shared/app/config.js'
import { type App, openApp } from '../shared/app/wire.js'
import { systemEnv } from '../shared/core/env.js'
import { RotationError } from '../shared/core/errors.js'
import { optional } from '../shared/core/optional.js'
import { named } from '../shared/lifecycle/secret/trial.js'
import { createOutput, logTo, type Output } from './output.js'
import { type Terminal, terminalOf } from './terminal.js'

/** What the body of a command gets: the app, and where its result goes and its input comes from. */
export interface Run {
  readonly app: App
  readonly output: Output
  readonly terminal: Terminal
}

interface GlobalOptions {
  readonly json?: boolean
  readonly home?: string
  readonly verbose?: boolean
}

/** Wraps the body of a command: opens the app, and turns every failure into one answer and one exit code. */
export function action<Args extends readonly unknown[]>(body: (run: Run, ...args: Args) => Promise<void>) {
  return async function (this: Command, ...all: unknown[]): Promise<void> {
    const options = this.optsWithGlobals<GlobalOptions>()
    const terminal = terminalOf(this)
    const output = createOutput(options.json === true, terminal)
    try {
      const config = readConfig(terminal.env, options.home === undefined ? {} : { home: options.home })
      const env = systemEnv({
        log: logTo(output, options.verbose === true, terminal),
        cancelled: terminal.cancelled,
        ...optional('ca', config.ca),
        ...optional('clock', terminal.clock),
      })
      const app = openApp(config, env, {
        onStep: (step) => terminal.stderr.isTTY && output.note(`✓ ${step}`),
        writeError: writerOf(terminal.stderr),
      })
      await body({ app, output, terminal }, ...(all.slice(0, -1) as unknown as Args)) // commander adds the command itself as the last argument
    } catch (cause) {
      output.failure(withRef(cause, this, all))
    }
  }
}

/** The same error with the secret that the command names in its next step, so that people can copy the command. */
function withRef(cause: unknown, { registeredArguments }: Command, [first]: readonly unknown[]): unknown {
  const isNamed = registeredArguments[0]?.name() === 'ref' && typeof first === 'string'
  return isNamed && cause instanceof RotationError ? named(cause, first.split('#')[0] ?? first) : cause
}
