import { once } from 'node:events'
import { connect, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Preflight } from '../../core/ports/notifier.js'
import { forbiddenError, guardedLookup, isAllowed } from './address.js'
import type { WebhookSettings } from './settings.js'

/** Checks the route without sending a message: name, address, port and certificate. */
export async function probe({ url: text, plaintext, allow, timeoutMs }: WebhookSettings, ca: string | undefined): Promise<Preflight> {
  const url = new URL(text)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const plain = url.protocol === 'http:'
  if (plain && !plaintext) return { verdict: 'refuse', why: 'it would be told in plaintext', next: 'Use https, or set "plaintext": true.' }
  if (isIP(host) !== 0 && !isAllowed(host, allow)) return refused(forbiddenError(host))
  const port = url.port === '' ? (plain ? 80 : 443) : Number(url.port)
  const options = { host, port, lookup: guardedLookup(allow) }
  const socket = plain
    ? connect(options)
    : connectTls({ ...options, ...(isIP(host) === 0 ? { servername: host } : {}), ...optional('ca', ca) })
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    await once(socket, plain ? 'connect' : 'secureConnect', { signal })
    return { verdict: 'ok' }
  } catch (cause) {
    if (cause instanceof RotationError) return refused(cause)
    if (signal.aborted)
      return { verdict: 'unknown', why: `${url.host} took no ${plain ? '' : 'TLS '}connection within ${timeoutMs / 1000} s` }
    const code = systemCodeOf(cause)
    if (code !== undefined && /CERT|ALTNAME|SELF_SIGNED|UNABLE_TO/.test(code))
      return {
        verdict: 'refuse',
        why: `its certificate is not trusted (${code})`,
        next: 'Give its authority in KEYTURN_CA_FILE, or correct the certificate.',
      }
    return { verdict: 'unknown', why: `${url.host} does not answer${code === undefined ? '' : ` (${code})`}` }
  } finally {
    socket.destroy()
  }
}

const refused = (cause: RotationError): Preflight => ({ verdict: 'refuse', why: cause.message, next: cause.next })
