import { createHttpHeaders, type HttpClient, type PipelineRequest, RestError } from '@azure/core-rest-pipeline'
import type { Ask } from './operations.js'
import { unknownHost } from './wire.js'

class AbortError extends Error {
  override readonly name = 'AbortError'
}

/** Answers requests of the client without sockets, and fails as the client's own transport does. */
export const inProcess = (ask: Ask, knows: (host: string) => boolean): HttpClient => ({
  async sendRequest(request) {
    const url = new URL(request.url)
    if (!knows(url.hostname)) throw new RestError(unknownHost(url.hostname), { code: 'ENOTFOUND', request })
    const body = typeof request.body === 'string' ? request.body : ''
    const asked = ask({ method: request.method, url, authorization: request.headers.get('authorization'), body })
    const answer = await unlessAborted(asked, request)
    if (answer === 'cut') throw new RestError('socket hang up', { code: 'ECONNRESET', request })
    return { status: answer.status, headers: createHttpHeaders(answer.headers), request, bodyAsText: answer.body }
  },
})

/** The request goes on all the same: only its answer is not waited for. */
async function unlessAborted<T>(asked: Promise<T>, { abortSignal, timeout }: PipelineRequest): Promise<T> {
  if (abortSignal === undefined && timeout <= 0) return asked
  if (abortSignal?.aborted) throw new AbortError('The operation was aborted. Request has already been canceled.')
  let giveUp = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => reject(new AbortError('The operation was aborted. Rejecting from abort signal callback while making request.'))
  })
  const timer = timeout > 0 ? setTimeout(giveUp, timeout) : undefined
  abortSignal?.addEventListener('abort', giveUp)
  try {
    return await Promise.race([asked, aborted])
  } finally {
    clearTimeout(timer)
    abortSignal?.removeEventListener('abort', giveUp)
  }
}
