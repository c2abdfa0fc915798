import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { codeOf, RotationError } from '../core/errors.js'
import type { Callback, CheckCallback, Consumer } from '../core/ports/notifier.js'
import { type Receipt, readReceipt } from '../core/receipt.js'
import { noteSeen } from '../lifecycle/consumers/seen.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { loadCallbackCheck } from '../notifiers/registry.js'

const bodyBytesMax = 16_384

/** All that the caller sees: a few words, never why a signature did not fit. */
type Reply = readonly [status: number, said: string]

/**
 * Makes a small listener for signed callbacks: POST a receipt in JSON, signed as the notifier of its consumer wants it. A receipt counts only if a key
 * of the very consumer that it names has signed it. Noting it twice changes nothing.
 */
export function createReceiver(depsOf: (ref: string) => Promise<Deps>): Server {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    answer(depsOf, request)
      .then(([status, said]) => reply(response, status, said))
      .catch(() => response.destroy()) // the caller went away in the middle of its request: there is nobody to answer
  })
  server.maxConnections = 64
  return server
}

function reply(response: ServerResponse, status: number, said: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(`${JSON.stringify({ said })}\n`)
}

async function answer(depsOf: (ref: string) => Promise<Deps>, request: IncomingMessage): Promise<Reply> {
  if (request.method !== 'POST') return [405, 'POST a receipt']
  const body = await bodyOf(request)
  if (body === undefined) return [413, 'too large']
  const receipt = readReceipt(body)
  if (receipt?.ref === undefined || receipt.consumer === undefined) return [400, 'no receipt']
  try {
    const deps = await depsOf(receipt.ref)
    const consumer = (await deps.configuration()).consumers[receipt.consumer]
    const checked = await check(consumer, { headers: request.headers, body }, deps)
    if ('why' in checked) {
      deps.env.log('receipt_refused', { consumer: receipt.consumer, why: checked.why })
      return [401, 'not accepted']
    }
    return await note(deps, receipt, receipt.ref, receipt.consumer, checked.signedAt)
  } catch (cause) {
    return codeOf(cause) === 'unavailable' ? [503, 'try again'] : [422, codeOf(cause) ?? 'internal']
  }
}

async function check(consumer: Consumer | undefined, callback: Callback, { env }: Deps): Promise<ReturnType<CheckCallback>> {
  if (consumer === undefined) return { why: 'there is no such consumer' }
  const checkCallback = await loadCallbackCheck(consumer.kind)
  return checkCallback?.(consumer, callback, env.now()) ?? { why: `consumers of kind ${consumer.kind} never call back` }
}

async function note(deps: Deps, { phase, id }: Receipt, ref: string, consumer: string, at: number): Promise<Reply> {
  try {
    await noteSeen(deps, ref, { consumer, phase, changeId: id, at })
    return [202, 'noted']
  } catch (cause) {
    if (cause instanceof RotationError && cause.code === 'conflict') return [409, 'not the current publication']
    throw cause
  }
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
