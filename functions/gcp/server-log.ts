import { logLine } from '../../shared/app/function-log.js'

let isInstalled = false

/**
 * The framework's server writes the error of a request that it cannot read to the log as it is, and such an error holds the body. From now on only its kind
 * and its status are written. Other errors are written as before.
 */
export function hideBodies(): void {
  if (isInstalled) return
  isInstalled = true
  const write = console.error.bind(console)
  console.error = (...words: unknown[]) => {
    const [refused] = words
    if (isOfBody(refused)) logLine('request_refused', { kind: refused.type, status: refused.status })
    else write(...words)
  }
}

interface OfBody {
  readonly type: string
  readonly status: number
}
/** What reads bodies for that server names each of its errors by a type, and keeps the body beside it. */
const isOfBody = (cause: unknown): cause is OfBody =>
  cause instanceof Error && 'type' in cause && typeof cause.type === 'string' && 'status' in cause && typeof cause.status === 'number'
