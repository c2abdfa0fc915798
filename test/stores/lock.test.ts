import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemEnv } from '../../shared/core/env.js'
import { withLock } from '../../shared/stores/file/lock.js'
import { lifeOf, thisProcess } from '../../shared/stores/file/process.js'
import { FakeEnv } from '../harness/fake-env.js'

const program = fileURLToPath(new URL('../programs/lock-holder.js', import.meta.url))

describe('the lock of the file store', () => {
  let home: string
  let folder: string
  let log: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'keyturn-lock-'))
    folder = join(home, 'lock')
    log = join(home, 'log')
    await writeFile(log, '')
  })
  afterEach(() => rm(home, { recursive: true }))
  const start = (times: number): ChildProcess =>
    spawn(process.execPath, [program, folder, log, String(times)], { stdio: ['ignore', 'ignore', 'inherit'] })

  it('is never held by two of six processes, some of which are killed while they hold it', async () => {
    const workers = [40, 40, 40].map(start)
    const killed = new Set<number>()
    for (let round = 0; round < 12; round++) {
      const victim = start(1000)
      await delay(60 + ((round * 7) % 31))
      victim.kill('SIGKILL')
      await once(victim, 'exit')
      killed.add(victim.pid ?? 0)
    }
    for (const worker of workers) if (worker.exitCode === null) await once(worker, 'exit')
    assert.deepEqual(
      workers.map(({ exitCode }) => exitCode),
      [0, 0, 0],
    )
    let holder: string | undefined
    let ends = 0
    for (const line of (await readFile(log, 'utf8')).trim().split('\n')) {
      const [what, pid = ''] = line.split(' ')
      if (what === 'begin') {
        assert.ok(holder === undefined || killed.has(Number(holder)), `${pid} began while ${holder} had it`)
        holder = pid
      } else {
        assert.equal(holder, pid)
        holder = undefined
        ends++
      }
    }
    assert.ok(ends >= 120)
    const left = (await readdir(folder)).filter((name) => !name.startsWith('draft-'))
    assert.ok(left.length <= 3, left.join(', '))
  })

  const leave = async (owner: object): Promise<void> => {
    await mkdir(folder)
    await writeFile(join(folder, '000000000007'), JSON.stringify({ owner }))
  }

  it('does not break a lock of another machine or namespace, and names the file', async () => {
    for (const other of [
      { ...thisProcess(), host: 'elsewhere' },
      { ...thisProcess(), space: `${thisProcess().space.split(' ')[0]} pid:[1]` },
    ]) {
      assert.equal(lifeOf(other), 'unknown')
      await leave(other)
      await assert.rejects(
        withLock({ folder, of: 'It' }, new FakeEnv('lock', Date.now()), async () => 'had it'),
        (cause: unknown) => (cause as { code: string }).code === 'locked' && (cause as { next: string }).next.includes('000000000007'),
      )
      await rm(folder, { recursive: true })
    }
  })

  it('succeeds an owner that is dead: gone, another process under its number, or from before the last boot', async () => {
    const gone = spawn(process.execPath, ['-e', ''])
    await once(gone, 'exit')
    const self = thisProcess()
    const dead = [
      { ...self, pid: gone.pid ?? 0 },
      { ...self, startedAt: 'earlier' },
      { ...self, space: self.space.replace(/^\S+/, 'another-boot') },
    ]
    for (const owner of dead) {
      assert.equal(lifeOf(owner), 'dead')
      await leave(owner)
      assert.equal(await withLock({ folder, of: 'It' }, systemEnv(), async () => 'had it'), 'had it')
      assert.deepEqual((await readdir(folder)).sort(), ['000000000007', '000000000008'])
      await rm(folder, { recursive: true })
    }
    assert.equal(lifeOf(self), 'alive')
  })

  it('excludes two calls of one process as well', async () => {
    let inside = 0
    const act = async () => {
      assert.equal(++inside, 1)
      await delay(5)
      inside--
    }
    await Promise.all(Array.from({ length: 8 }, () => withLock({ folder, of: 'It' }, systemEnv(), act)))
  })

  it('is given back when the work fails', async () => {
    await assert.rejects(
      withLock({ folder, of: 'It' }, systemEnv(), async () => Promise.reject(new Error('failed'))),
      /failed/,
    )
    assert.equal(await withLock({ folder, of: 'It' }, systemEnv(), async () => 1), 1)
  })
})
