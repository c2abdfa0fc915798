import { constants } from 'node:os'
import { systemEnv } from '../shared/core/env.js'
import { RotationError } from '../shared/core/errors.js'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** A terminal that closes, and a program that passes signals on, give the same one twice. */
const sameMs = 250

/** The signal that ended a command early. */
export class Interruption {
  readonly exitCode: number
  constructor(signal: (typeof signals)[number]) {
    this.exitCode = 128 + constants.signals[signal]
  }
}

/** Aborted by the first signal that asks this process to end. A second one ends it at once. */
export function untilSignal(): AbortSignal {
  const interrupted = new AbortController()
  const { now } = systemEnv()
  let first: number | undefined
  for (const signal of signals) {
    process.on(signal, () => {
      const interruption = new Interruption(signal)
      if (first === undefined) {
        first = now()
        interrupted.abort(interruption)
      } else if (Math.abs(now() - first) > sameMs) process.exit(interruption.exitCode)
    })
  }
  return interrupted.signal
}

/** Ends a command that only looks, where a signal came meanwhile: held. */
export function assertGoesOn({ cancelled }: { readonly cancelled: AbortSignal }): void {
  if (cancelled.aborted) throw interruptedError('Interrupted.')
}

/** Says that a signal came before the command was done. */
export const interruptedError = (message: string): RotationError =>
  new RotationError('held', message, { next: 'Run the same command again.' })
