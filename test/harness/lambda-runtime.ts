import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { repository } from './repository.js'

const bootstrap = join(repository, 'dist/test/programs/lambda-bootstrap.js')

/** The Node binaries that functions run on; 22 and 24 come by test/setup.sh. */
export const nodes = {
  20: process.execPath,
  22: `${repository}/test/servers/node_modules/node22/bin/node`,
  24: `${repository}/test/servers/node_modules/node24/bin/node`,
} as const
export type NodeMajor = keyof typeof nodes
export const skipOf = (major: NodeMajor): string | false =>
  (major === 20 ? Number(process.versions.node.split('.')[0]) >= 20 : existsSync(nodes[major]))
    ? false
    : `Node ${major} is not installed; test/setup.sh does it`

interface Waiting {
  readonly id: string
  readonly event: unknown
  readonly answer: (failure: string | undefined) => void
}

/** A function in a process of its own, which asks for its invocations as on Lambda. One instance, so that its second call is warm. */
export class LambdaRuntime {
  readonly #server: Server
  #child: ChildProcess | undefined
  #queue: Waiting[] = []
  #running = new Map<string, Waiting>()
  #asking: ServerResponse | undefined
  #ids = 0
  #ended = false
  /** What the process printed. */
  printed = ''
  started: { readonly ms: number; readonly rss: number } | undefined
  #ready: (() => void) | undefined

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  /** `folder` and `handler` as in the archive: `dist/functions/aws/rotate/index.handler`. */
  static async start(node: string, folder: string, handler: string, environment: Readonly<Record<string, string>>): Promise<LambdaRuntime> {
    const runtime = new LambdaRuntime()
    await new Promise<void>((resolve) => runtime.#server.listen(0, '127.0.0.1', resolve))
    const ready = new Promise<void>((resolve) => {
      runtime.#ready = resolve
    })
    const { port } = runtime.#server.address() as AddressInfo
    const env = {
      PATH: process.env.PATH ?? '',
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      LAMBDA_TASK_ROOT: folder,
      _HANDLER: handler,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_SESSION_TOKEN: 'test',
      AWS_REGION: 'eu-west-1',
      ...environment,
    }
    const child = spawn(node, [bootstrap], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    runtime.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        runtime.printed += chunk.toString('utf8')
      })
    child.once('exit', () => {
      runtime.#ended = true
      runtime.#ready?.()
      for (const waiting of [...runtime.#queue, ...runtime.#running.values()]) waiting.answer('Runtime.ExitError: the process ended')
    })
    await ready
    return runtime
  }

  /** undefined when it ended well, else its error as Lambda reports it. */
  invoke(event: unknown): Promise<string | undefined> {
    if (this.#ended) return Promise.resolve(`Runtime.ExitError: the process ended: ${this.printed}`)
    return new Promise((resolve) => {
      const id = `request-${++this.#ids}`
      this.#queue.push({ id, event, answer: resolve })
      this.#hand()
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace('/2018-06-01/runtime/', '')
    if (path === 'invocation/next') {
      this.#asking = response
      return this.#hand()
    }
    const body = (await json(request)) as { errorType?: string; errorMessage?: string; trace?: string[]; ms?: number; rss?: number } | null
    const [, id, what] = /^invocation\/([^/]+)\/(response|error)$/.exec(path) ?? []
    if (path === 'init/ready') this.started = { ms: body?.ms ?? 0, rss: body?.rss ?? 0 }
    if (path === 'init/error') this.printed += `${body?.errorType}: ${body?.errorMessage}`
    if (path.startsWith('init/')) this.#ready?.()
    if (id !== undefined) {
      this.#running
        .get(id)
        ?.answer(what === 'response' ? undefined : [body?.errorType, body?.errorMessage, ...(body?.trace ?? [])].join('\n'))
      this.#running.delete(id)
    }
    response.writeHead(202).end()
  }

  #hand(): void {
    const response = this.#asking
    const waiting = response && this.#queue.shift()
    if (response === undefined || waiting === undefined) return
    this.#asking = undefined
    this.#running.set(waiting.id, waiting)
    response.writeHead(200, {
      'lambda-runtime-aws-request-id': waiting.id,
      'lambda-runtime-deadline-ms': String(Date.now() + 60_000),
      'content-type': 'application/json',
    })
    response.end(JSON.stringify(waiting.event))
  }

  async close(): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
