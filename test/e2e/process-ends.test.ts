import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, createReadStream, existsSync, openSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Interruption } from '../../cli/signals.js'
import { thisProcess } from '../../shared/stores/file/process.js'
import { whole } from '../crash/sample.js'
import { Keyturn } from '../harness/cli-process.js'
import { callCommand } from '../harness/command-call.js'

const program = new URL('../../cli/main.js', import.meta.url)
const value = '{"password":"A-value-0123456789-abcdef"}'
const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
type Signal = keyof typeof codes
const noFull = existsSync('/dev/full') ? false : 'this system has no /dev/full'
const noProc = existsSync('/proc/self/stat') ? false : 'this system has no /proc, by which the test names a process'

async function opened(): Promise<Keyturn> {
  const keyturn = await Keyturn.open(program)
  await keyturn.ok(['init'])
  await keyturn.ok(['put', 'file:db'], { stdin: value })
  await keyturn.ok(['adopt', 'file:db', '--rotator', 'random'])
  return keyturn
}

/** By the mask of the signals that the process catches: it takes all of them at once, and Node none of its own accord but two. */
async function listening({ pid }: ChildProcess): Promise<void> {
  if (noProc) return delay(3000)
  const caught = (): bigint => BigInt(`0x${/SigCgt:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0}`)
  while ((caught() & 1n) === 0n) await delay(20) // SIGHUP is the first bit
}

describe('a process that is asked to end', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await opened()
  })
  after(() => keyturn?.close())

  let generation = 9000
  /** The owner of a lock that lives and does nothing. */
  async function stoppedOwner(folder: string): Promise<ChildProcess> {
    const owner = spawn('sleep', ['600'])
    owner.kill('SIGSTOP')
    while (!/\) T /.test(readFileSync(`/proc/${owner.pid}/stat`, 'utf8'))) await delay(5)
    const startedAt = readFileSync(`/proc/${owner.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19]
    await mkdir(folder, { recursive: true })
    generation += 1000
    const owned = { owner: { ...thisProcess(), pid: owner.pid, startedAt } }
    await writeFile(join(folder, String(generation).padStart(12, '0')), JSON.stringify(owned))
    return owner
  }
  /** Runs until it listens to signals, then gets this one. */
  async function signalled(words: readonly string[], signal: Signal): Promise<number | null> {
    const child = keyturn.spawn(words)
    const end = keyturn.finish(child)
    await listening(child)
    child.kill(signal)
    return (await end).code
  }

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`${signal} while it reads stdin: nothing is stored, and the exit code is ${codes[signal]}`, async () => {
      assert.equal(await signalled(['put', 'file:late'], signal), codes[signal])
      await keyturn.fails(['get', 'file:late'], 'not_found', 'ref')
    })
    it(`${signal} between two passes of sweep --loop: it ends in order`, async () => {
      assert.equal(await signalled(['sweep', '--loop'], signal), 0)
    })
    it(`${signal} while it waits for a lock: ${codes[signal]} within seconds`, { skip: noProc }, async () => {
      const owner = await stoppedOwner(`${keyturn.audit}.lock`)
      try {
        const words = ['rotate', 'file:db', '--emergency', '--reason', 'a test']
        assert.equal(await signalled(words, signal), codes[signal])
      } finally {
        owner.kill('SIGKILL')
        await once(owner, 'exit')
      }
      assert.equal((await keyturn.ok(['rotate', 'file:db', '--emergency', '--reason', 'a test'])).outcome, 'published')
    })
  }

  it('a second signal ends at once what the first one does not: a login that a silent server keeps waiting', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const login = { engine: 'postgres', host: '127.0.0.1', port, username: 'app', password: 'p', dbname: 'app', sslmode: 'disable' }
    await keyturn.ok(['put', 'file:silent'], { stdin: JSON.stringify(login) })
    const child = keyturn.spawn(['verify', 'file:silent'])
    const end = keyturn.finish(child)
    const [socket] = (await once(silent, 'connection')) as [Socket]
    child.kill('SIGINT')
    // How late it takes the first one depends on the load, and one that follows soon counts as a copy of it.
    const again = setInterval(() => child.kill('SIGTERM'), 100)
    const { code } = await end.finally(() => clearInterval(again))
    assert.equal(code, codes.SIGTERM, 'the second one ended it, and not the time limit of the login')
    socket.destroy()
    silent.close()
  })

  it('a pass over many secrets that a signal cuts short is not done; one that is repeated until a signal is', async () => {
    const calledWith = async (words: readonly string[], signal: Signal) =>
      callCommand(['--json', ...words], {
        env: { HOME: keyturn.folder, KEYTURN_HOME: keyturn.home },
        cancelled: AbortSignal.abort(new Interruption(signal)),
      })
    const all = [['sweep'], ['list'], ['plan'], ['doctor'], ['rotate', '--all'], ['rotate', 'file:db', '--emergency', '--reason', 'a test']]
    for (const words of all) {
      for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
        const { code, stdout } = await calledWith(words, signal)
        assert.equal(code, codes[signal], `${words.join(' ')}: ${stdout}`)
        assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'held')
      }
    }
    assert.equal((await calledWith(['sweep', '--loop'], 'SIGTERM')).code, 0)
    assert.equal((await calledWith(['get', 'file:db'], 'SIGTERM')).code, 0, 'it was done when the signal came')
  })

  it('a stopped process with the lock of the audit log, or of the store, is locked, and is named', { skip: noProc }, async () => {
    const locks = [`${keyturn.audit}.lock`, join(keyturn.home, 'lock')]
    for (const folder of whole ? locks : locks.slice(0, 1)) {
      const owner = await stoppedOwner(folder)
      const { message, next, remedy } = await keyturn.fails(['policy', 'file:db', 'owner=me'], 'locked')
      owner.kill('SIGKILL')
      await once(owner, 'exit')
      assert.equal(remedy, 'wait')
      assert.match(`${message} ${next}`, new RegExp(`process ${owner.pid} on .*, which is stopped.*kill -CONT ${owner.pid}`))
      await keyturn.ok(['policy', 'file:db', 'owner=me'])
    }
  })
})

describe('what is read ends where the store ends', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await opened()
  })
  after(() => keyturn?.close())

  for (const words of [
    ['put', 'file:endless'],
    ['config', 'check'],
  ]) {
    it(`${words.join(' ')}: endless input is refused, from stdin and from a file`, async () => {
      const child = keyturn.spawn(['--json', ...words])
      const end = keyturn.finish(child)
      const zeros = createReadStream('/dev/zero')
      if (child.stdin) zeros.pipe(child.stdin)
      const { code, stdout } = await end
      zeros.destroy()
      assert.equal(code, 2)
      assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'too_large')
      await keyturn.fails([...words, '--file', '/dev/zero'], 'too_large', 'value')
    })
  }

  it('a value of the longest length is taken with its line end, and one byte more is not', async () => {
    await keyturn.ok(['put', 'file:longest'], { stdin: `${'x'.repeat(65_536)}\r\n` })
    await keyturn.fails(['put', 'file:longer'], 'too_large', 'value', { stdin: 'x'.repeat(65_537) })
  })
})

describe('a stdout or stderr that takes nothing', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await opened()
  })
  after(() => keyturn?.close())
  const did: readonly (readonly [words: readonly string[], code: number])[] = [
    [['list'], 0],
    [['rotate', 'file:db', '--emergency', '--reason', 'a test'], 0],
    [['sweep'], 0],
    [['get', 'file:nothing'], 2],
    [['--help'], 0],
    [['completion', 'bash'], 0],
  ]
  const all = did.flatMap(([words, code]) => [[words, code] as const, [['--json', ...words], code] as const])

  async function ends(words: readonly string[], stdio: readonly [out: number | 'pipe', errors: number | 'pipe'], env = {}) {
    const child = spawn(process.execPath, [fileURLToPath(program), ...words], {
      env: { PATH: process.env.PATH, HOME: keyturn.folder, KEYTURN_HOME: keyturn.home, ...env },
      stdio: ['ignore', ...stdio],
    })
    return keyturn.finish(child)
  }

  it('a full one: the exit code is that of the work, and stderr says what was lost', { skip: noFull }, async () => {
    const full = openSync('/dev/full', 'w')
    for (const [words, code] of all) {
      const lost = await ends(words, [full, 'pipe'])
      assert.equal(lost.code, code, words.join(' '))
      assert.doesNotMatch(lost.stderr, /\n\s+at /)
      if (code === 0) assert.match(lost.stderr, /could not be written to stdout \(ENOSPC\)/)
      assert.equal((await ends(words, ['pipe', full])).code, code)
      assert.equal((await ends(words, [full, full])).code, code)
    }
    closeSync(full)
  })

  it('a closed one: the exit code is that of the work', async () => {
    for (const [words, code] of all) {
      for (const closed of ['>&-', '2>&-', '>&- 2>&-']) {
        const child = spawn('sh', ['-c', `exec "$@" ${closed}`, 'sh', process.execPath, fileURLToPath(program), ...words], {
          env: { PATH: process.env.PATH, HOME: keyturn.folder, KEYTURN_HOME: keyturn.home },
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        const { code: is, stderr } = await keyturn.finish(child)
        assert.equal(is, code, `${words.join(' ')} ${closed}`)
        assert.doesNotMatch(stderr, /\n\s+at /)
      }
    }
  })

  it('an audit log on a stderr that is full stops the effect: it would not be recorded', { skip: noFull }, async () => {
    const full = openSync('/dev/full', 'w')
    const before_ = await keyturn.bytesOf('db')
    const words = ['--json', 'rotate', 'file:db', '--emergency', '--reason', 'a test']
    const { code, stdout } = await ends(words, ['pipe', full], { KEYTURN_AUDIT: 'stderr' })
    closeSync(full)
    assert.equal(code, 4)
    assert.match(stdout, /"code":"audit_failed".*stderr cannot be written: the disk is full \(ENOSPC\)/)
    assert.equal(await keyturn.bytesOf('db'), before_)
  })
})
