import { type ChildProcess, fork, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemCodeOf } from '../../shared/core/errors.js'
import { asSuper } from '../../test/harness/postgres-client.js'
import { PostgresServer, removeCopies } from '../../test/harness/postgres-server.js'

export interface ClientCounts {
  readonly logins: number
  readonly failures: number
  readonly lastFailure?: string
}
export interface Answer {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly json: Readonly<Record<string, unknown>>
  readonly text: string
}

export const adminPassword = 'Admin-0123456789-0123456789-abcd'
export const webhookKey = `whsec_${randomBytes(32).toString('base64')}`
export const firstPassword = 'First-0123456789-0123456789-abcd'
const dist = new URL('..', import.meta.url).pathname.endsWith('/dist/')
  ? new URL('..', import.meta.url)
  : new URL('../dist/', import.meta.url)
const program = (name: string): string => fileURLToPath(new URL(name, dist))

/** The stage of the story: a server, a store and a client, all in temporary folders, all stopped by process id. */
export class Stage {
  readonly say: (text: string) => void
  readonly startedAt = Date.now()
  home = ''
  /** From here on every command knows the configuration secret. */
  configured = false
  clientPort = 0
  #server: PostgresServer | undefined
  #client: ChildProcess | undefined
  readonly #commands = new Set<ChildProcess>()
  #counts: ClientCounts = { logins: 0, failures: 0 }

  constructor(say: (text: string) => void) {
    this.say = say
  }

  get seconds(): number {
    return (Date.now() - this.startedAt) / 1000
  }
  tell(text: string): void {
    this.say(`${this.seconds.toFixed(1).padStart(5)} s  ${text}`)
  }

  async startServer(): Promise<PostgresServer> {
    this.#server = await PostgresServer.start()
    this.home = await mkdtemp(join(tmpdir(), 'keyturn-quickstart-'))
    return this.#server
  }

  /** One owner role, two logins that act as it, and an administrator who may change them. */
  async makeRoles(server: PostgresServer): Promise<void> {
    await asSuper(server, 'create role app nologin')
    await asSuper(server, `create role keyturn_admin login createrole password '${adminPassword}'`)
    for (const login of ['app_a', 'app_b']) {
      await asSuper(server, `create role ${login} login`)
      await asSuper(server, `grant app to ${login}`)
      await asSuper(server, `alter role ${login} set role to 'app'`)
      await asSuper(server, `grant ${login} to keyturn_admin with admin option, inherit false, set false`)
    }
    await asSuper(server, 'grant pg_read_all_stats to keyturn_admin') // to see since when sessions last
    await asSuper(server, `alter role app_a password '${firstPassword}'`)
  }

  valueOf(username: string, password: string): string {
    // Plaintext only because the server is on loopback and is thrown away: Keyturn never chooses it by itself.
    return JSON.stringify({
      engine: 'postgres',
      host: '127.0.0.1',
      port: this.#server?.port,
      username,
      password,
      dbname: 'postgres',
      sslmode: 'disable',
    })
  }

  get environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      KEYTURN_HOME: this.home,
      KEYTURN_SHORT_GRACE: '1',
      KEYTURN_CONFIG: this.configured ? 'file:config' : undefined,
      KEYTURN_JOURNAL: undefined,
      KEYTURN_KEY: undefined,
      KEYTURN_AUDIT: undefined,
      KEYTURN_KEY_FILE: undefined,
    }
  }

  spawnCli(words: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [program('cli/main.js'), '--json', ...words], {
      env: this.environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#commands.add(child)
    child.once('close', () => this.#commands.delete(child))
    return child
  }

  /** One command in a process of its own; the value, if any, goes in through stdin. */
  async cli(words: readonly string[], value = ''): Promise<Answer> {
    const child = this.spawnCli(words)
    child.stdin?.end(value)
    return this.answerOf(child)
  }

  async answerOf(child: ChildProcess): Promise<Answer> {
    let [text, errors] = ['', '']
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8')
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString('utf8')
    })
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    const last = text.trim().split('\n').at(-1) ?? ''
    const json = last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {}
    return { code, signal, json, text: text + errors }
  }

  async mustCli(words: readonly string[], value?: string): Promise<Answer['json']> {
    const answer = await this.cli(words, value)
    if (answer.code === 0) return answer.json
    throw new Error(`keyturn ${words.join(' ')} ended with ${answer.code}: ${answer.text}`)
  }

  /** The audit log's records so far; a killed process may leave half a line. */
  async audit(): Promise<readonly { readonly effect: string; readonly phase: string; readonly at: number; readonly token?: string }[]> {
    try {
      const lines = (await readFile(join(this.home, 'audit.jsonl'), 'utf8')).split('\n')
      return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as { effect: string; phase: string; at: number })
    } catch (cause) {
      if (systemCodeOf(cause) === 'ENOENT') return []
      throw cause
    }
  }

  async startClient(): Promise<void> {
    const client = fork(program('scripts/quickstart/client.js'), {
      env: { ...this.environment, APPLICATION_KEY: webhookKey },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#client = client
    client.on('message', (counts: ClientCounts) => {
      this.#counts = counts
    })
    const [{ port }] = (await once(client, 'message')) as [{ port: number }]
    this.clientPort = port
  }

  get counts(): ClientCounts {
    return this.#counts
  }

  async stopClient(): Promise<ClientCounts> {
    const client = this.#client
    if (client && client.exitCode === null && client.signalCode === null) {
      const ended = once(client, 'exit')
      client.send('stop')
      await ended
    }
    this.#client = undefined
    return this.#counts
  }

  async keep(name: string, text: string): Promise<string> {
    const path = join(this.home, name)
    await writeFile(path, text, { mode: 0o600 })
    return path
  }

  async close(): Promise<void> {
    for (const child of this.#commands) child.kill('SIGKILL') // after an interrupt a command may still run: nothing may write here any more
    await Promise.all([...this.#commands].map((child) => once(child, 'close')))
    await this.stopClient()
    await this.#server?.stop()
    this.#server = undefined
    await removeCopies()
    if (this.home !== '') await rm(this.home, { recursive: true, force: true })
  }
}
