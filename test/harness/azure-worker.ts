import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { repository } from './repository.js'

/** A value as the host sends it to a worker, and as a worker answers. */
export interface TypedData {
  readonly json?: string
  readonly string?: string
  readonly bytes?: Uint8Array
  readonly http?: HttpData
}
export interface HttpData {
  readonly method?: string
  readonly url?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly params?: Readonly<Record<string, string>>
  readonly body?: TypedData
  readonly statusCode?: string
}
/** How a function says that it is triggered: `type`, `schedule`, `authLevel` and so on. */
export type Binding = Readonly<Record<string, unknown>> & { readonly type: string; readonly direction: string }
export interface Metadata {
  readonly name: string
  readonly bindings: Readonly<Record<string, Binding>>
}
interface Invocation {
  readonly resolve: (answer: TypedData | undefined) => void
  readonly reject: (cause: Error) => void
}
type Said =
  | { readonly started: readonly Metadata[] }
  | { readonly failed: string }
  | { readonly id: string; readonly response: { readonly returnValue?: TypedData } }
  | { readonly id: string; readonly error: { readonly name: string; readonly message: string; readonly stack: string } }
  | { readonly log: string }

/** The process ended before it answered. */
export class WorkerGone extends Error {}

/** One worker process of a function app: what was deployed, under the real library of Azure Functions (test/harness/azure-worker.cjs). */
export class Worker {
  readonly #child: ChildProcess
  readonly #running = new Map<string, Invocation>()
  readonly ended: Promise<number | null>
  functions: readonly Metadata[] = []
  /** What it has written to both streams. */
  log = ''
  #count = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    this.ended = once(child, 'close').then(([code]: unknown[]) => {
      for (const { reject } of this.#running.values()) reject(new WorkerGone('The worker ended.'))
      this.#running.clear()
      return typeof code === 'number' ? code : null
    })
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (this.log += text))
    child.on('message', (said: Said) => this.#hear(said))
  }
  /** `main`: the program, as package.json names it. Its environment is `env`, PATH and HOME. */
  static async start(folder: string, main: string, env: Readonly<Record<string, string>>): Promise<Worker> {
    const preload = join(repository, 'test/harness/azure-worker.cjs')
    const given = { PATH: process.env.PATH ?? '', HOME: folder, ...env }
    const child = spawn(process.execPath, ['--require', preload, '-e', 'setInterval(() => {}, 1e9)'], {
      cwd: folder,
      env: given,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    const worker = new Worker(child)
    const started = new Promise<void>((resolve, reject) => {
      worker.#started = { resolve, reject }
    })
    child.send({ start: join(folder, main) })
    const early = worker.ended.then(() => Promise.reject(new Error(`The worker did not start: ${worker.log}`)))
    try {
      await Promise.race([started, early])
    } catch (cause) {
      child.kill('SIGKILL')
      throw cause
    }
    early.catch(() => undefined) // it ends one day
    return worker
  }
  #started: { readonly resolve: () => void; readonly reject: (cause: Error) => void } | undefined

  #hear(said: Said): void {
    if ('started' in said) {
      this.functions = said.started
      this.#started?.resolve()
    } else if ('failed' in said) this.#started?.reject(new Error(said.failed))
    else if ('id' in said) this.#end(said)
  }
  #end(said: Extract<Said, { readonly id: string }>): void {
    const invocation = this.#running.get(said.id)
    this.#running.delete(said.id)
    if ('response' in said) {
      invocation?.resolve(said.response.returnValue)
      return
    }
    const error = new Error(said.error.message)
    error.name = said.error.name
    this.log += `[host] ${said.error.stack}\n` // as the host records it
    invocation?.reject(error)
  }

  /** How many invocations have no answer yet. */
  get running(): number {
    return this.#running.size
  }
  functionOf(name: string): Metadata {
    const found = this.functions.find((one) => one.name === name)
    if (found === undefined) throw new Error(`There is no function ${name}.`)
    return found
  }
  /** The answer of one invocation. Rejects with what the function threw, or WorkerGone. */
  invoke(name: string, data: TypedData, triggerMetadata: Readonly<Record<string, TypedData>> = {}): Promise<TypedData | undefined> {
    const [binding] = Object.entries(this.functionOf(name).bindings).find(([, { type }]) => type.endsWith('Trigger')) ?? []
    const id = `${name}-${++this.#count}`
    return new Promise((resolve, reject) => {
      this.#running.set(id, { resolve, reject })
      this.#child.send({ id, name, inputData: [{ name: binding, data }], triggerMetadata }, (cause) => {
        if (cause && this.#running.delete(id)) reject(new WorkerGone(cause.message))
      })
    })
  }

  /** Its clock is so far ahead of this machine's; what waits, waits as long as before. In force before the next invocation. */
  setAhead(aheadMs: number): void {
    this.#child.send({ aheadMs })
  }
  /** As the host ends a worker that is not needed any more: by its hooks. */
  terminate(): Promise<number | null> {
    this.#child.send({ terminate: true })
    return this.ended
  }
  signal(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal)
    return this.ended
  }
}
