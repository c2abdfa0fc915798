import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { RotationError, systemCodeOf } from '../../core/errors.js'
import { forbiddenError, guardedLookup, isAllowed } from './address.js'
import type { WebhookSettings } from './settings.js'

/** What the receiver answered, with any status, redirects included. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** At most 16 KiB of it. */
  readonly body: string
}

const answerBytesMax = 16_384

/** Sends one request and reads one answer. It follows no redirect and keeps no connection. delivery_failed where no answer comes. */
export async function post(
  settings: WebhookSettings,
  headers: Readonly<Record<string, string>>,
  body: string,
  ca?: string,
): Promise<Answer> {
  const url = new URL(settings.url)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isAllowed(host, settings.allow)) throw forbiddenError(host)
  const plain = url.protocol === 'http:'
  if (plain && !settings.plaintext) {
    throw new RotationError('bad_config', `${url.host} would be told in plaintext.`, {
      field: 'url',
      next: 'Use https, or set "plaintext": true for this consumer.',
    })
  }
  const signal = AbortSignal.timeout(settings.timeoutMs)
  const options = {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    lookup: guardedLookup(settings.allow),
    agent: false,
    signal,
    ...(ca === undefined || plain ? {} : { ca }),
  } as const
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const sent = (plain ? httpRequest : httpsRequest)(url, options, (answer) => {
        const chunks: Buffer[] = []
        let bytes = 0
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > answerBytesMax) answer.destroy(new Error('the answer is longer than 16 KiB'))
          else chunks.push(chunk)
        })
        answer.on('error', reject)
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString('utf8') }),
        )
      })
      sent.on('error', reject)
      sent.end(body)
    })
  } catch (cause) {
    if (cause instanceof RotationError) throw cause
    // The signal itself says so: the error of a request that is given up depends on how far it was.
    const why = signal.aborted ? `no whole answer within ${settings.timeoutMs / 1000} s` : (systemCodeOf(cause) ?? 'no answer')
    const more = signal.aborted ? ', or give it more time (timeoutMs of this consumer)' : ''
    throw new RotationError('delivery_failed', `${url.host} could not be notified (${why}).`, {
      cause,
      next: `Check that it can be reached from here${more}; the announcement is repeated.`,
    })
  }
}
