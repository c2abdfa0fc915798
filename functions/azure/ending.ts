import { app } from '@azure/functions'
import { Running } from '../../shared/app/running.js'

/** What runs in this worker. */
export const running = new Running()
let isListening = false

/**
 * The host asks a worker to end before it does, and waits for its hooks; the platform asks a process with a signal. Both let what runs come to the border
 * of a step.
 */
export function listenToEnd(): void {
  if (isListening) return
  isListening = true
  app.hook.appTerminate(() => running.end())
  process.on('SIGTERM', () => void running.end().then(() => setImmediate(() => process.exit(0))))
}
