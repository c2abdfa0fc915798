import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Clock, callCommand } from './command-call.js'

/** The built command line beside these tests, wherever this file was bundled into. */
const program = findBuilt(dirname(fileURLToPath(import.meta.url)))
function findBuilt(folder: string): string {
  const path = join(folder, 'cli/main.js')
  return existsSync(path) ? path : findBuilt(dirname(folder))
}

export interface Answer {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
  /** The one object of --json. */
  readonly json: Readonly<Record<string, unknown>>
  readonly error: Readonly<Record<string, string>>
}

/** A store of its own, and the built command line; remembers everything that was printed. */
export class CommandLine {
  readonly home: string
  printed = ''
  /** A process of its own for each command. */
  processes = false
  /** Of the commands in this process. */
  readonly clock = new Clock()
  environment: Readonly<Record<string, string>> = {}

  private constructor(home: string) {
    this.home = home
  }
  static async open(): Promise<CommandLine> {
    return new CommandLine(await mkdtemp(join(tmpdir(), 'keyturn-cli-')))
  }

  #environment(): NodeJS.ProcessEnv {
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KEYTURN|PG|NODE_TEST)/.test(name)))
    return { ...clean, KEYTURN_HOME: join(this.home, 'store'), KEYTURN_DEBUG: '1', ...this.environment }
  }
  start(words: readonly string[]): ChildProcess {
    return spawn(process.execPath, [program, ...words], { env: this.#environment(), stdio: ['pipe', 'pipe', 'pipe'] })
  }

  async end(child: ChildProcess, stdin = ''): Promise<Answer> {
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('utf8')
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8')
    })
    child.stdin?.on('error', () => undefined) // it may end before it read anything
    child.stdin?.end(stdin)
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    return this.#answer({ code, signal, stdout, stderr })
  }
  #answer({ code, signal, stdout, stderr }: Omit<Answer, 'json' | 'error'>): Answer {
    this.printed += stdout + stderr
    const last = stdout.trim().split('\n').at(-1) ?? ''
    const json = last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {}
    return { code, signal, stdout, stderr, json, error: (json.error ?? {}) as Record<string, string> }
  }

  /** In this process, but where the test is of the process itself. */
  async run(words: readonly string[], stdin = ''): Promise<Answer> {
    if (this.processes) return this.end(this.start(words), stdin)
    return this.#answer({ ...(await callCommand(words, { env: this.#environment(), clock: this.clock }, stdin)), signal: null })
  }
  /** With --json: nothing but one object on one line. */
  async json(words: readonly string[], stdin = ''): Promise<Answer> {
    const answer = await this.run(['--json', '--verbose', ...words], stdin)
    if (!/^\{.*\}\n$/.test(answer.stdout)) throw new Error(`not one object on one line: ${answer.stdout}\n${answer.stderr}`)
    return answer
  }

  path(name: string): string {
    return join(this.home, name)
  }
  async file(name: string, text: string): Promise<string> {
    await writeFile(this.path(name), text)
    return this.path(name)
  }
  async bytesOf(secret: string): Promise<string> {
    return readFile(join(this.home, 'store/secrets', `${secret}.json`), 'utf8')
  }
  /** Every file of the store, and all that was printed. */
  async everything(): Promise<string> {
    const files = (await readdir(this.home, { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile() && entry.parentPath.includes('store'),
    )
    const texts = await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')))
    return [this.printed, ...texts].join('\n')
  }
  async close(): Promise<void> {
    await rm(this.home, { recursive: true, force: true })
  }
}
