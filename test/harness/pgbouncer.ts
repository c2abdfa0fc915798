import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { chown, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Certificate } from './pg-certificates.js'
import { asSuper } from './postgres-client.js'
import { freePort, type Identity, type PostgresServer, superPassword, unprivileged } from './postgres-server.js'

/** Debian puts it where only root looks: beside the folders of everybody's programs. */
const folders = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => [folder, folder.replace(/\/bin$/, '/sbin')])
const binary = folders.map((folder) => join(folder, 'pgbouncer')).find(isExecutable)
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
/** False where PgBouncer is installed, else why what needs it is skipped. */
export const whyNoPooler: string | false = binary === undefined ? 'pgbouncer is not installed; test/setup.sh does it' : false

/**
 * Where a pooler knows passwords from. `query`: it asks the server at each login, as a user of its own. `list`: a file with verifiers, which is only as
 * new as its last reload.
 */
export type Mode = 'query' | 'list'

export interface PoolerOptions {
  readonly mode: Mode
  /** In the list from the start, with the verifiers that the server has then. */
  readonly users?: readonly string[]
  readonly tls?: Certificate
  /** Further settings of the section [pgbouncer]. */
  readonly settings?: Readonly<Record<string, string>>
  /** What follows in the line of its one database. */
  readonly database?: string
}

/** A real PgBouncer before a server, in a temporary folder, on loopback only. */
export class Pooler {
  readonly folder: string
  readonly port: number
  readonly #server: PostgresServer
  readonly #identity: Identity
  #process: ChildProcess | undefined
  #log = ''

  private constructor(server: PostgresServer, folder: string, port: number, identity: Identity) {
    this.#server = server
    this.folder = folder
    this.port = port
    this.#identity = identity
  }

  static async start(server: PostgresServer, options: PoolerOptions): Promise<Pooler> {
    const identity = await unprivileged()
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-pooler-'))
    if (identity.uid !== undefined && identity.gid !== undefined) await chown(folder, identity.uid, identity.gid)
    const pooler = new Pooler(server, folder, await freePort(), identity)
    await pooler.writeList(options.users ?? [])
    await pooler.#configure(options)
    await pooler.#launch()
    return pooler
  }

  /** How often a login began here, by user. Its log reaches us through a pipe: a signal that changes nothing marks how far it has come. */
  async attempts(): Promise<Readonly<Record<string, number>>> {
    const seen = this.#log.length
    this.#process?.kill('SIGUSR2')
    await this.#until(() => /SIGUSR2/.test(this.#log.slice(seen)), 'answer a signal')
    const counts: Record<string, number> = {}
    for (const [, user = ''] of this.#log.matchAll(/login attempt: db=\S+ user=(\S+)/g)) counts[user] = (counts[user] ?? 0) + 1
    return counts
  }
  /** Waits for a line of its log. */
  async says(words: RegExp): Promise<void> {
    await this.#until(() => words.test(this.#log), `say ${words}`)
  }
  /** From here on the log is that of what is under test. */
  async freshLog(): Promise<void> {
    await this.attempts()
    this.#log = ''
  }
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /**
   * Writes the list with the server's own verifiers, byte for byte: with another salt it could let clients in and log nobody in at the server. A new
   * file, because a reload may not see that an old one changed. Nothing happens before `reload`.
   */
  async writeList(users: readonly string[]): Promise<void> {
    const rows = await asSuper<{ rolname: string; rolpassword: string }>(
      this.#server,
      'select rolname, rolpassword from pg_authid where rolname = any($1) and rolpassword is not null',
      [users],
    )
    await this.writeEntries(rows.map(({ rolname, rolpassword }) => [rolname, rolpassword]))
  }
  /** The same with what a test gives; the user who asks the server is in it always. */
  async writeEntries(entries: readonly (readonly [user: string, secret: string])[]): Promise<void> {
    const lines = [['postgres', superPassword] as const, ...entries].map(([user, secret]) => `"${user}" "${secret}"\n`)
    await this.#write('list.new', lines.join(''))
    await rename(join(this.folder, 'list.new'), join(this.folder, 'list'))
  }

  /** Reads its files again, by a signal. */
  async reload(): Promise<void> {
    const seen = this.#log.length
    this.#process?.kill('SIGHUP')
    await this.#until(() => /re-reading config/.test(this.#log.slice(seen)), 'read its files again')
  }

  /** By process id; clients are cut off. */
  async stop(): Promise<void> {
    const child = this.#process
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGTERM') // at once, where SIGINT waits for its clients
      await ended
    }
    await rm(this.folder, { recursive: true, force: true })
  }

  async #configure({ mode, tls, settings = {}, database = '' }: PoolerOptions): Promise<void> {
    if (tls) {
      await this.#write('server.crt', tls.cert)
      await this.#write('server.key', tls.key)
    }
    const lines: Readonly<Record<string, string>> = {
      listen_addr: '127.0.0.1',
      listen_port: String(this.port),
      unix_socket_dir: '',
      auth_type: 'scram-sha-256',
      auth_file: join(this.folder, 'list'),
      pool_mode: 'transaction',
      ...(mode === 'query' ? { auth_user: 'postgres', auth_query: 'select rolname, rolpassword from pg_authid where rolname = $1' } : {}),
      ...(tls
        ? {
            client_tls_sslmode: 'require',
            client_tls_cert_file: join(this.folder, 'server.crt'),
            client_tls_key_file: join(this.folder, 'server.key'),
          }
        : {}),
      ...settings,
    }
    const text = Object.entries(lines).map(([key, value]) => `${key} = ${value}\n`)
    const target = `host=127.0.0.1 port=${this.#server.port}`
    await this.#write('pgbouncer.ini', `[databases]\n* = ${target} ${database}\n[pgbouncer]\n${text.join('')}`)
  }

  async #launch(): Promise<void> {
    if (binary === undefined) throw new Error('PgBouncer is not installed.')
    const child = spawn(binary, [join(this.folder, 'pgbouncer.ini')], {
      ...this.#identity,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH ?? '' },
    })
    this.#process = child
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString('utf8')
    })
    await this.#until(() => /process up/.test(this.#log), 'start')
  }

  async #until(isDone: () => boolean, what: string): Promise<void> {
    for (let tries = 0; !isDone(); tries++) {
      if (this.#process?.exitCode !== null || tries > 500) throw new Error(`PgBouncer did not ${what}: ${this.#log}`)
      await delay(10)
    }
  }

  async #write(name: string, text: string): Promise<void> {
    const path = join(this.folder, name)
    await writeFile(path, text, { mode: 0o600 })
    const { uid, gid } = this.#identity
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
  }
}

/** A consumer's client, with plain fields. */
export function clientThrough(port: number, user: string, password: string, ssl: false | { readonly ca: string } = false): pg.Client {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database: 'postgres', ssl, query_timeout: 3000 })
  client.on('error', () => undefined)
  return client
}

/** What one login through a pooler ended with: `in`, or the code and message of its refusal. */
export async function loginThrough(...[port, user, password, ssl]: Parameters<typeof clientThrough>): Promise<string> {
  const client = clientThrough(port, user, password, ssl)
  try {
    await client.connect()
    await client.query('select 1')
    return 'in'
  } catch (cause) {
    return cause instanceof pg.DatabaseError ? `${cause.code} ${cause.message}` : String(cause)
  } finally {
    await client.end()
  }
}
