import { app } from '@azure/functions'
import { Running } from '../../shared/app/running.js'
import { systemEnv } from '../../shared/core/env.js'

/** What runs in this worker. */
export const running = new Running()
/** What an answer needs to get to the host. */
const answerMs = 100
let isListening = false

/**
 * The host asks a worker to end before it does, and waits for its hooks; the platform asks a process with a signal. Both let what runs come to the border
 * of a step.
 */
export function listenToEnd(): void {
  if (isListening) return
  isListening = true
  app.hook.appTerminate(async () => {
    await running.end()
    await systemEnv().sleep(answerMs) // the worker exits right after its hooks
  })
  process.on('SIGTERM', () => void running.end().then(() => setImmediate(() => process.exit(0))))
}
