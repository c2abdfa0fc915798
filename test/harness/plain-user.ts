import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Permissions stop nobody who is root: there the command line runs as a user who is not. */
const isRoot = process.getuid?.() === 0
const ids = isRoot ? { uid: 65_534, gid: 65_534 } : {}

export interface Ended {
  readonly code: number | null
  readonly stderr: string
  readonly body: Readonly<Record<string, unknown>>
  readonly error: { readonly code?: string; readonly field?: string; readonly message?: string; readonly next?: string }
}

/** False where that user can run the command line at all, else why what needs it is skipped. */
export function whyNoPlainUser(program: URL): string | false {
  const { status } = spawnSync(process.execPath, [fileURLToPath(program), '--version'], { ...ids, cwd: '/', stdio: 'ignore' })
  return status === 0 ? false : 'a user who is not root may not read this folder'
}

/** The command line in processes of a user who is not root, with a folder that is this user's own. */
export class PlainUser {
  readonly folder: string
  readonly #program: string

  private constructor(program: URL, folder: string) {
    this.#program = fileURLToPath(program)
    this.folder = folder
  }
  static async open(program: URL): Promise<PlainUser> {
    const user = new PlainUser(program, await mkdtemp(join(tmpdir(), 'keyturn-user-')))
    await user.own(user.folder)
    return user
  }
  async own(path: string): Promise<void> {
    if (isRoot) await chown(path, 65_534, 65_534)
  }
  close(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true })
  }

  start(words: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
    const all = { PATH: process.env.PATH ?? '', HOME: this.folder, ...env }
    return spawn(process.execPath, [this.#program, '--json', ...words], { ...ids, env: all, cwd: this.folder })
  }
  async run(words: readonly string[], env: Readonly<Record<string, string>>, stdin = ''): Promise<Ended> {
    const child = this.start(words, env)
    const texts = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.on('data', (chunk: Buffer) => {
        texts[name] += chunk.toString('utf8')
      })
    child.stdin?.on('error', () => undefined) // it may end before it has read everything
    child.stdin?.end(stdin)
    const [code] = (await once(child, 'close')) as [number | null]
    const body = JSON.parse(texts.stdout) as Ended['body']
    return { code, stderr: texts.stderr, body, error: (body.error ?? {}) as Ended['error'] }
  }
}
