/**
 * The platform asks an instance to end, and gives it ten seconds. The framework would end the process at once, and cut a rotation off in the middle of a
 * step: its listener is taken away, and the process ends when the invocations have come to the border of a step.
 */
export const ending = new AbortController()
let running = 0
let isListening = false

/** Counts an invocation as running until `act` is over. */
export async function untilOver<T>(act: () => Promise<T>): Promise<T> {
  listen()
  running++
  try {
    return await act()
  } finally {
    running--
    if (ending.signal.aborted && running === 0) setImmediate(() => process.exit(0)) // after the answer was written
  }
}

function listen(): void {
  if (isListening) return
  isListening = true
  process.on('SIGTERM', end)
  // After that one: while nobody listens, a signal that has come in this turn of the process would be lost.
  for (const other of process.listeners('SIGTERM')) if (other !== end) process.removeListener('SIGTERM', other)
}

function end(): void {
  ending.abort()
  if (running === 0) process.exit(0)
}
