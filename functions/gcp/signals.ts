import { Running } from '../../shared/app/running.js'

const running = new Running()
/** Fires when the platform asks this instance to end. */
export const ending: AbortSignal = running.signal
let isListening = false

/**
 * Counts an invocation as running until `act` is over. The platform asks an instance to end, and gives it ten seconds. The framework would end the process at
 * once, and cut a rotation off in the middle of a step: its listener is taken away, and the process ends when the invocations have come to the border of a step.
 */
export async function untilOver<T>(act: () => Promise<T>): Promise<T> {
  listen()
  return running.until(act)
}

function listen(): void {
  if (isListening) return
  isListening = true
  process.on('SIGTERM', end)
  // After that one: while nobody listens, a signal that has come in this turn of the process would be lost.
  for (const other of process.listeners('SIGTERM')) if (other !== end) process.removeListener('SIGTERM', other)
}

/** The process ends after the last answer was written. */
const end = (): void => void running.end().then(() => setImmediate(() => process.exit(0)))
