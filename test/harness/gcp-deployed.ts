import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { checkout, run, unpacked } from './aws-package.js'
import { repository } from './repository.js'

export const functionNames = ['rotate', 'sweep', 'work', 'invoke', 'jwks'] as const
export type FunctionName = (typeof functionNames)[number]
type Variables = Readonly<Record<string, string>>

/** The archives of all functions of Google Cloud, made once from a copy of the sources, and unpacked as the platform unpacks them. */
export class Packages {
  /** The copy of the sources. */
  readonly folder: string
  readonly #rotators: string
  readonly #tasks = new Map<FunctionName, string>()
  private constructor(folder: string, rotators: string) {
    this.folder = folder
    this.#rotators = rotators
  }
  /** `rotators` as in KEYTURN_ROTATORS. */
  static async make(rotators = 'random,postgres'): Promise<Packages> {
    const packages = new Packages(await checkout(), rotators)
    packages.build()
    for (const name of functionNames) {
      const task = await unpacked(packages.archive(name))
      await symlink(join(repository, 'node_modules'), join(task, 'node_modules'))
      packages.#tasks.set(name, task)
    }
    return packages
  }
  /** Makes the archives again, in the same place. What was unpacked stays. */
  build(): void {
    run(this.folder, process.execPath, ['scripts/functions.mjs', 'gcp', '--zip'], { KEYTURN_ROTATORS: this.#rotators })
  }
  archive = (name: FunctionName): string => join(this.folder, `dist/functions/gcp/${name}.zip`)
  /** Where its archive is unpacked. */
  task(name: FunctionName): string {
    const task = this.#tasks.get(name)
    if (task === undefined) throw new Error(`${name} is not unpacked.`)
    return task
  }
  start = (name: FunctionName, env: Variables): Promise<Deployed> => Deployed.start(this.task(name), name, env)
  async close(): Promise<void> {
    for (const folder of [...this.#tasks.values(), this.folder]) await rm(folder, { recursive: true, force: true })
  }
}

/** What a caller sees of an answer. */
export interface Answer {
  readonly status: number
  readonly text: string
}
/** How a process ended: one of the two is not null. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A function as it is deployed: its archive, in the framework's own process, on loopback alone. */
export class Deployed {
  readonly #child: ChildProcess
  readonly #ended: Promise<Ended>
  /** Where it is called; empty until it listens. */
  url = ''
  /** What it has written until now, to both streams. */
  log = ''
  private constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (this.log += text))
  }
  /** `folder` is where its archive is unpacked. Has no variable but `env`, PATH, HOME and what the platform sets. */
  static async start(folder: string, name: FunctionName, env: Variables): Promise<Deployed> {
    const main = join(folder, 'node_modules/@google-cloud/functions-framework/build/src/main.js')
    const loaded = ['gcp-redirect.cjs', 'gcp-clock.cjs'].flatMap((file) => ['--require', join(repository, 'test/harness', file)])
    // As the platform starts a function that has no trigger of its own: what the function registers itself as wins.
    const words = [...loaded, main, `--target=${name}`, '--signature-type=http', '--port=0']
    const given = { PATH: process.env.PATH ?? '', HOME: folder, NODE_ENV: 'production', ...env }
    const child = spawn(process.execPath, words, { cwd: folder, env: given, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    const started = new Deployed(child)
    if (await started.#isUp()) return started
    throw new Error(`${name} did not start: ${started.log}`)
  }
  /** It says its port when it listens there. */
  async #isUp(): Promise<boolean> {
    const port = await Promise.race([once(this.#child, 'message').then(([said]: unknown[]) => said), this.#ended])
    if (typeof port === 'number') this.url = `http://127.0.0.1:${port}`
    return this.url !== ''
  }
  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** A text is sent as it is, everything else as JSON. Rejects where no answer comes. */
  async post(body: unknown, headers: Variables = { authorization: 'Bearer a-token' }, path = '/'): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, text: await response.text() }
  }
  /** Moves its clock: so far ahead of this machine's. */
  async setAhead(aheadMs: number): Promise<void> {
    const moved = once(this.#child, 'message')
    this.#child.send({ aheadMs })
    await moved
  }
  /** Sends a signal, and waits until the process has ended. One that does not end is killed, as the platform does it: after a minute here, ten seconds there. */
  async signal(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<Ended> {
    if (!this.#isOver) this.#child.kill(signal)
    const killing = setTimeout(() => this.#child.kill('SIGKILL'), 60_000)
    const ended = await this.#ended
    clearTimeout(killing)
    return ended
  }
  /** Ends it as the platform does; resolves to all that it wrote. */
  async stop(): Promise<string> {
    await this.signal()
    return this.log
  }
}
