import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { optional } from '../../shared/core/optional.js'
import { Clock, callCommand } from './command-call.js'

export interface Said {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}
export interface Failure {
  readonly code: string
  readonly message: string
  readonly next: string
  readonly remedy: string
  readonly field?: string
}
export type Body = Readonly<Record<string, unknown>>
export interface Answer {
  readonly code: number
  readonly body: Body
  readonly error?: Failure
}
/** What a store's file says without any key: enough to see that nothing was published and no policy written. */
export interface Look {
  readonly current: string
  readonly previous: string | null
  readonly publishedAt: number
  readonly policy: Readonly<Record<string, string>>
  readonly versions: readonly string[]
}
export interface Setting {
  readonly stdin?: string | Buffer
  readonly env?: Readonly<Record<string, string>>
}

/** The promise of docs/cli.md, written down here anew. */
export const exitOf: Readonly<Record<string, number>> = { fix: 2, retry: 75, reread: 75, wait: 3, human: 4 }

/** The command line with a home of its own; remembers everything that was said and every command line that the system showed. */
export class Keyturn {
  readonly program: string
  readonly folder: string
  env: Readonly<Record<string, string>> = {}
  /** Put before every command, such as --verbose. */
  always: readonly string[] = []
  said = ''
  /** Of the commands in this process; undefined: the system's, as others have it. */
  clock: Clock | undefined = new Clock()
  /** A process of its own for each command: where a library reads the environment of the process. */
  processes = false
  readonly commandLines = new Set<string>()
  /** Processes whose command lines are looked at too, such as a server whose children show their statement in it. */
  readonly watched: number[] = []
  #files = 0

  private constructor(program: string, folder: string) {
    this.program = program
    this.folder = folder
  }
  static async open(program: URL): Promise<Keyturn> {
    return new Keyturn(fileURLToPath(program), await mkdtemp(join(tmpdir(), 'keyturn-cli-')))
  }
  close(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true })
  }

  get home(): string {
    return join(this.folder, 'home')
  }
  get audit(): string {
    return join(this.home, 'audit.jsonl')
  }

  /** Nothing of the caller's environment but where programs are: no KEYTURN_*, no PG*, no home with a store in it. */
  #environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    const { PATH = '' } = process.env
    return { PATH, HOME: this.folder, LC_ALL: 'C.UTF-8', KEYTURN_HOME: this.home, ...this.env, ...more }
  }
  spawn(words: readonly string[], env?: Setting['env']): ChildProcess {
    return spawn(process.execPath, [this.program, ...this.always, ...words], { env: this.#environment(env), cwd: this.folder })
  }

  async finish(child: ChildProcess): Promise<Said> {
    const [out, errors]: [Buffer[], Buffer[]] = [[], []]
    child.stdout?.on('data', (chunk: Buffer) => void out.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => void errors.push(chunk))
    child.stdin?.on('error', () => undefined) // it may end before it has read everything
    const looking = setInterval(() => this.#lookAt(child.pid), 15)
    const [code, signal] = (await once(child, 'close').finally(() => clearInterval(looking))) as [number | null, NodeJS.Signals | null]
    const [stdout, stderr] = [Buffer.concat(out).toString('utf8'), Buffer.concat(errors).toString('utf8')]
    this.said += `${stdout}\n${stderr}\n`
    return { code, signal, stdout, stderr }
  }
  /** In this process, but where the test is of the process itself. */
  async run(words: readonly string[], setting: Setting = {}): Promise<Said> {
    if (this.processes) return this.runProcess(words, setting)
    const { code, stdout, stderr } = await callCommand(
      [...this.always, ...words],
      { env: this.#environment(setting.env), ...optional('clock', this.clock) },
      setting.stdin,
    )
    this.said += `${stdout}\n${stderr}\n`
    return { code, signal: null, stdout, stderr }
  }
  runProcess(words: readonly string[], { stdin = '', env }: Setting = {}): Promise<Said> {
    const child = this.spawn(words, env)
    const end = this.finish(child)
    child.stdin?.end(stdin)
    return end
  }

  /** With --json: the whole contract of the form is asserted at every call. */
  async json(words: readonly string[], setting: Setting = {}): Promise<Answer> {
    return answerOf(await this.run(['--json', ...words], setting))
  }
  async ok(words: readonly string[], setting: Setting = {}): Promise<Body> {
    const { body, code } = await this.json(words, setting)
    assert.equal(code, 0, `keyturn ${words.join(' ')}: ${JSON.stringify(body)}`)
    return body
  }
  async fails(words: readonly string[], code: string, field?: string, setting: Setting = {}): Promise<Failure> {
    const { error, body } = await this.json(words, setting)
    assert.deepEqual([error?.code, error?.field], [code, field], `keyturn ${words.join(' ')}: ${JSON.stringify(body)}`)
    return error as Failure
  }

  /** In a terminal of its own (script, of util-linux): types each text once the one before it is answered. */
  async terminal(words: readonly string[], typed: readonly (readonly [after: string, text: string])[] = []): Promise<Said> {
    const quoted = [process.execPath, this.program, ...this.always, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
    const child = spawn('script', ['-qec', quoted, '/dev/null'], { env: { ...this.#environment(), SHELL: '/bin/sh' }, cwd: this.folder })
    let shown = ''
    child.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString('utf8')
    })
    const end = this.finish(child)
    for (const [after, text] of typed) {
      for (let tries = 0; !shown.includes(after) && child.exitCode === null && tries < 500; tries++) await delay(10)
      child.stdin.write(text)
    }
    const said = await end
    child.stdin.end()
    return said
  }

  async file(text: string | Buffer): Promise<string> {
    const path = join(this.folder, `value-${++this.#files}`)
    await writeFile(path, text, { mode: 0o600 })
    return path
  }
  /** The stored value, by way of a new file. */
  async value(name: string): Promise<string> {
    const path = join(this.folder, `revealed-${++this.#files}`)
    await this.ok(['get', `file:${name}`, '--output-file', path])
    return readFile(path, 'utf8')
  }
  async password(name: string): Promise<string> {
    return (JSON.parse(await this.value(name)) as { password: string }).password
  }
  bytesOf(name: string): Promise<string> {
    return readFile(join(this.home, 'secrets', `${encodeURIComponent(name)}.json`), 'utf8')
  }
  async look(name: string): Promise<Look> {
    const { current, previous, publishedAt, policy, versions } = JSON.parse(await this.bytesOf(name)) as Omit<Look, 'versions'> & {
      readonly versions: readonly { readonly id: string; readonly staged?: unknown }[]
    }
    const kept = versions.filter(({ staged }) => staged === undefined).map(({ id }) => id)
    return { current, previous, publishedAt, policy, versions: kept }
  }
  /** Every file under the home, by its path; the lock's numbers come and go and hold nothing. */
  async files(): Promise<Readonly<Record<string, string>>> {
    const entries = await readdir(this.home, { recursive: true, withFileTypes: true })
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    const texts = paths.map(async (path) => [path, await readFile(path, 'utf8').catch(() => '')] as const)
    return Object.fromEntries((await Promise.all(texts)).sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  /** Secrets, key and audit log, byte for byte: for comparing before and after. */
  /** Beside locks and the audit log, which says what was tried. */
  async kept(): Promise<Readonly<Record<string, string>>> {
    const aside = [join(this.home, 'lock'), this.audit]
    return Object.fromEntries(Object.entries(await this.files()).filter(([path]) => !aside.some((one) => path.startsWith(one))))
  }
  async records(): Promise<readonly Body[]> {
    const text = await readFile(this.audit, 'utf8').catch(() => '')
    return text
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Body)
  }

  #lookAt(pid: number | undefined): void {
    for (const one of [pid, ...this.watched]) if (one !== undefined) this.#collect(one)
  }
  #collect(pid: number): void {
    try {
      this.commandLines.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
      for (const child of children.split(' ')) if (child !== '') this.#collect(Number(child))
    } catch {
      return // it has ended meanwhile, or this system has no /proc
    }
  }
}

/** What docs/cli.md says that a failure has beside `error`: of verify and adopt, of doctor, of sweep. */
const besideError = ['ref', 'rotator', 'proof', 'passwordAccepted', 'logsIn', 'findings', 'actions', 'failed']

function answerOf({ code, signal, stdout, stderr }: Said): Answer {
  const told = `${stdout}\n${stderr}`
  assert.equal(signal, null, told)
  assert.match(stdout, /^\{[^\n]*\}\n$/, `not one object on one line: ${told}`)
  // But for the few log lines that somebody must see who runs it by a timer.
  assert.match(
    stderr,
    /^(\{"log":"(published|config_kept|config_missing|receipt_refused)".*\}\n)*$/,
    `--json says everything in the object: ${stderr}`,
  )
  const body = JSON.parse(stdout) as Body
  if (body.ok === true) {
    assert.equal(code, 0, told)
    assert.equal(body.error, undefined)
    return { code: 0, body }
  }
  assert.equal(body.ok, false)
  const keys = Object.keys(body).filter((key) => !besideError.includes(key))
  assert.deepEqual(keys, ['ok', 'error'])
  const error = body.error as Failure
  const members = Object.keys(error).filter((key) => key !== 'field')
  assert.deepEqual(members.sort(), ['code', 'message', 'next', 'remedy'])
  for (const text of [error.message, error.next]) assert.ok(text.length > 10 && /[.…)]$/.test(text), `no sentence: ${text}`)
  assert.equal(code, exitOf[error.remedy], told)
  return { code: code ?? -1, body, error }
}
