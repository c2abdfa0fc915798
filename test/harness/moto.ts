import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { repository } from './repository.js'

const program = join(repository, '.cache/moto/bin/moto_server')

/** Why nothing can be held against moto here; test/setup.sh installs it where there is Python. */
export const motoSkip = existsSync(program) ? false : 'moto is not installed; test/setup.sh does it where there is Python 3'

/** An emulator of AWS that others wrote, on loopback: what our own double may have wrong. Started once a test file. */
export class Moto {
  readonly endpoint: string
  readonly #process: ChildProcess

  private constructor(endpoint: string, process: ChildProcess) {
    this.endpoint = endpoint
    this.#process = process
  }

  static async start(): Promise<Moto> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
    const moto = new Moto(`http://127.0.0.1:${port}`, child)
    for (let tries = 0; !(await moto.reset().catch(() => false)); tries++) {
      if (child.exitCode !== null || tries > 600) throw new Error(`moto did not start (${child.exitCode})`)
      await delay(100)
    }
    return moto
  }

  /** Everything is gone again. */
  reset = async (): Promise<boolean> => (await fetch(`${this.endpoint}/moto-api/reset`, { method: 'POST' })).ok

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await ended
  }
}
