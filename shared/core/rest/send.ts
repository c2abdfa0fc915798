import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Access } from './credentials.js'

/** What the service answered, with any status. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** At most 64 KiB of it. */
  readonly body: string
}

const answerBytesMax = 65_536

/** What one call sends: a GET without a body, a POST of JSON with one, or another method where `method` says so. */
export interface Asked {
  readonly url: URL
  readonly body?: string
  readonly method?: 'POST' | 'PUT' | 'PATCH'
  /** application/json where the body has no other. */
  readonly contentType?: string
  /** More headers, such as the version of an interface. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends it once, and follows no redirect. Rejects with the system's error where no answer comes, or when the signal fires. */
export function sendOnce(
  { url, body, method: named, contentType = 'application/json', headers: own }: Asked,
  { token, headers: platform }: Access,
  signal: AbortSignal,
): Promise<Answer> {
  const content = body === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }
  const headers = { authorization: `Bearer ${token.reveal()}`, 'user-agent': 'keyturn', ...platform, ...own, ...content }
  const method = named ?? (body === undefined ? 'GET' : 'POST')
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'http:' ? httpRequest : httpsRequest
    const sent = send(url, { method, headers, signal }, (answer) => {
      const chunks: Buffer[] = []
      let bytes = 0
      const finish = () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(chunks).toString('utf8', 0, answerBytesMax),
        })
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes <= answerBytesMax) return
        finish()
        answer.destroy()
      })
      answer.on('error', reject)
      answer.on('end', finish)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
