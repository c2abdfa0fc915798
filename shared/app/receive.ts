import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Deps } from '../lifecycle/secret/deps.js'
import { type Reply, takeReceipt } from './receipt.js'

const bodyBytesMax = 16_384

/** Makes a small listener for signed callbacks: POST a receipt in JSON, as `takeReceipt` wants it. */
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
  return body === undefined ? [413, 'too large'] : takeReceipt(depsOf, { headers: request.headers, body })
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
