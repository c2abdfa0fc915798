import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { chmod, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Keyturn } from '../harness/cli-process.js'
import { whyMissing } from '../harness/programs.js'
import { suite } from '../harness/suite.js'

const program = new URL('../../cli/main.js', import.meta.url)
const value = '{"password":"A-value-0123456789-abcdef"}'
const huge = 3 * 1024 ** 3
const rotate = ['rotate', 'file:db', '--emergency', '--reason', 'a test']

async function opened(): Promise<Keyturn> {
  const keyturn = await Keyturn.open(program)
  keyturn.processes = true // a call of the system that waits would hold up the test as well
  await keyturn.ok(['init'])
  await keyturn.ok(['put', 'file:db'], { stdin: value })
  await keyturn.ok(['adopt', 'file:db', '--rotator', 'random'])
  return keyturn
}
const pipe = (path: string): string => {
  execFileSync('mkfifo', ['-m', '600', path])
  return path
}
/** Puts something in the place of a file while `act` runs. */
async function replaced(path: string, make: () => unknown, act: () => Promise<unknown>): Promise<void> {
  await rename(path, `${path}.kept`)
  try {
    await make()
    await act()
  } finally {
    await rm(path)
    await rename(`${path}.kept`, path)
  }
}

suite('a pipe that nobody writes to', whyMissing('mkfifo'), ({ it, before, after }) => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await opened()
  })
  after(() => keyturn?.close())

  it('instead of the key is refused', () => {
    const key = join(keyturn.home, 'key')
    return replaced(
      key,
      () => pipe(key),
      async () => {
        const { message } = await keyturn.fails(['get', 'file:db'], 'bad_config', 'KEYTURN_KEY_FILE')
        assert.equal(message, `${key} cannot be read: it is not a regular file.`)
      },
    )
  })

  it('instead of the audit log is refused, by what writes it, by what checks it and by doctor', () =>
    replaced(
      keyturn.audit,
      () => pipe(keyturn.audit),
      async () => {
        const { message } = await keyturn.fails(rotate, 'audit_failed', 'KEYTURN_AUDIT')
        assert.match(message, /audit\.jsonl cannot be written: it is not a regular file\.$/)
        await keyturn.fails(['audit', 'verify'], 'bad_config', 'KEYTURN_AUDIT')
        const { message: found } = await keyturn.fails(['doctor'], 'bad_config', 'KEYTURN_AUDIT')
        assert.match(found, /audit\.jsonl cannot be written: it is not a regular file\. No change is possible\.$/)
      },
    ))

  it('instead of an entry of the lock is refused', async () => {
    const entry = pipe(join(keyturn.home, 'lock', '000000900000'))
    const { message } = await keyturn.fails(['policy', 'file:db', 'owner=me'], 'bad_config', 'KEYTURN_HOME')
    assert.equal(message, `${entry} cannot be read: it is not a regular file.`)
    await rm(entry)
  })

  it('as a file of authorities is refused', async () => {
    const path = pipe(join(keyturn.folder, 'ca'))
    const { message } = await keyturn.fails(['list'], 'bad_config', 'KEYTURN_CA_FILE', { env: { KEYTURN_CA_FILE: path } })
    assert.equal(message, `KEYTURN_CA_FILE ${path} cannot be read: it is not a regular file.`)
  })

  describe('named with --file', () => {
    const asked: readonly (readonly string[])[] = [
      ['put', 'file:new'],
      ['config', 'check'],
      ['audit', 'verify'],
    ]
    for (const words of asked) {
      it(`${words.join(' ')}: a signal ends the wait, with a silent writer and with none`, async () => {
        const path = pipe(join(keyturn.folder, words.join('-').replace(':', '-')))
        for (const isWritten of [false, true]) {
          const child = keyturn.spawn(['--json', ...words, '--file', path])
          const end = keyturn.finish(child)
          await holding(child, path)
          const writer = isWritten ? openSync(path, 'w') : undefined
          child.kill('SIGTERM')
          const { code, stdout } = await end
          if (writer !== undefined) closeSync(writer)
          assert.deepEqual([code, (JSON.parse(stdout) as { error: { code: string } }).error.code], [143, 'held'])
        }
      })
    }

    it('is read to its end where somebody writes to it, and so is a substituted process', { skip: whyMissing('bash') }, async () => {
      const path = pipe(join(keyturn.folder, 'written'))
      const put = keyturn.ok(['put', 'file:piped', '--file', path])
      await writeFile(path, value)
      assert.equal((await put).outcome, 'created')
      const quoted = `"${process.execPath}" "${fileURLToPath(program)}"`
      const env = { PATH: process.env.PATH, HOME: keyturn.folder, KEYTURN_HOME: keyturn.home }
      execFileSync('bash', ['-c', `${quoted} put file:substituted --file <(printf %s '${value}')`], { env })
      execFileSync('bash', ['-c', `${quoted} audit verify --file <(cat "${keyturn.audit}")`], { env })
      await keyturn.ok(['get', 'file:substituted'])
    })
  })
})

/** Resolves when the process has opened the file. */
async function holding({ pid }: ChildProcess, path: string): Promise<void> {
  if (!existsSync('/proc/self/fd')) return delay(3000)
  for (;;) {
    const found = execFileSync('sh', ['-c', `ls -l /proc/${pid}/fd 2>/dev/null || true`], { encoding: 'utf8' })
    if (found.includes(path)) return
    await delay(20)
  }
}

describe('a file that is longer than any that Keyturn wrote', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await opened()
  })
  after(() => keyturn?.close())
  /** Without a byte on the disk. */
  const sparse = async (path: string): Promise<void> => {
    await writeFile(path, '')
    await chmod(path, 0o600)
    await truncate(path, huge)
  }

  it('is refused as a key', () => {
    const key = join(keyturn.home, 'key')
    return replaced(
      key,
      () => sparse(key),
      async () => {
        const { message } = await keyturn.fails(['get', 'file:db'], 'bad_config', 'KEYTURN_KEY_FILE')
        assert.equal(message, `${key} cannot be read: it has more than 4096 bytes.`)
      },
    )
  })

  it('is damaged as a secret, for each command that reads it', () => {
    const secret = join(keyturn.home, 'secrets/db.json')
    return replaced(
      secret,
      () => sparse(secret),
      async () => {
        for (const words of [['get', 'file:db'], ['list'], rotate]) {
          const { message } = await keyturn.fails(words, 'damaged')
          assert.match(message, /db\.json cannot be read: it has more than \d+ bytes\./)
        }
      },
    )
  })

  it('is refused as a file of authorities', async () => {
    const path = join(keyturn.folder, 'ca')
    await sparse(path)
    const { message } = await keyturn.fails(['list'], 'bad_config', 'KEYTURN_CA_FILE', { env: { KEYTURN_CA_FILE: path } })
    assert.match(message, /it has more than \d+ bytes\.$/)
  })
})

describe('stdin that is open for writing only', () => {
  it('is named', async () => {
    const keyturn = await Keyturn.open(program)
    try {
      await keyturn.ok(['init'])
      const out = openSync(join(keyturn.folder, 'out'), 'w')
      const child = spawn(process.execPath, [keyturn.program, '--json', 'put', 'file:db'], {
        env: { PATH: process.env.PATH, HOME: keyturn.folder, KEYTURN_HOME: keyturn.home },
        stdio: [out, 'pipe', 'inherit'],
      })
      const end = keyturn.finish(child)
      closeSync(out)
      const { error } = JSON.parse((await end).stdout) as { error: { code: string; message: string; next: string } }
      assert.deepEqual([error.code, error.message], ['bad_event', 'stdin cannot be read: it is not open for that (EBADF).'])
      assert.equal(error.next, 'Open stdin for reading, or name a file with --file.')
    } finally {
      await keyturn.close()
    }
  })
})
