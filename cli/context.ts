import type { Command } from 'commander'
import { readConfig } from '../shared/app/config.js'
import { type App, openApp } from '../shared/app/wire.js'
import { systemEnv } from '../shared/core/env.js'
import { optional } from '../shared/core/optional.js'
import { createOutput, logTo, type Output } from './output.js'

/** What the body of a command gets: the app, and where its result goes. */
export interface Run {
  readonly app: App
  readonly output: Output
}

interface GlobalOptions {
  readonly json?: boolean
  readonly home?: string
  readonly verbose?: boolean
}

const interrupted = new AbortController()

/** Ctrl-C stops the command before its next effect, not in the middle of one. */
export function stopOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
}

/** Wraps the body of a command: opens the app, and turns every failure into one answer and one exit code. */
export function action<Args extends readonly unknown[]>(body: (run: Run, ...args: Args) => Promise<void>) {
  return async function (this: Command, ...all: unknown[]): Promise<void> {
    const options = this.optsWithGlobals<GlobalOptions>()
    const output = createOutput(options.json === true)
    try {
      const config = readConfig(process.env, options.home === undefined ? {} : { home: options.home })
      const env = systemEnv({
        log: logTo(output, options.verbose === true),
        cancelled: interrupted.signal,
        ...optional('ca', config.ca),
      })
      const app = openApp(config, env, (step) => process.stderr.isTTY && output.note(`✓ ${step}`))
      await body({ app, output }, ...(all.slice(0, -1) as unknown as Args)) // commander adds the command itself as the last argument
    } catch (cause) {
      process.exitCode = output.failure(cause)
    }
  }
}
