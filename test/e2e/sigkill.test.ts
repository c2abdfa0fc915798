import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemEnv } from '../../shared/core/env.js'
import type { VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { makeFolders } from '../../shared/stores/file/home.js'
import { deriveKeys } from '../../shared/stores/file/keys.js'
import { FileStore } from '../../shared/stores/file.js'
import { whole } from '../crash/sample.js'

const program = fileURLToPath(new URL('../programs/rotate-for-ever.js', import.meta.url))
const killsPerHome = whole ? 100 : 20
const seed = process.env.KEYTURN_SEED ?? 'sigkill'

/** The n-th moment of this seed, as a share of two rotations. */
const moment = (home: number, kill: number): number =>
  createHash('sha256').update(`${seed}/${home}/${kill}`).digest().readUInt16BE(0) / 2 ** 15

/** How long a rotation takes here and now, so that a slow machine is killed in the middle of rotations too, and not always before the first. */
async function rotationMs(home: string, key: string): Promise<number> {
  const child = fork(program, [home, key], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  await once(child, 'message')
  const began = performance.now()
  for (let turn = 0; turn < 5; turn++) await once(child, 'message')
  const took = (performance.now() - began) / 5
  child.kill('SIGKILL')
  await once(child, 'exit')
  return took
}

interface Seen {
  readonly current: string
  readonly all: readonly string[]
}

async function look(store: FileStore): Promise<Seen> {
  const ref = await store.resolve('file:db')
  const state = await store.describe(ref)
  const ids: VersionId[] = [...(state.pending ? [state.pending.id] : []), ...state.loose.map(({ id }) => id)]
  for await (const { id } of store.history(ref)) ids.push(id)
  const password = async (id: VersionId) => (JSON.parse((await store.read(ref, id)).reveal()) as { password: string }).password
  return { current: await password(state.current?.id as VersionId), all: await Promise.all(ids.map(password)) }
}

async function killAgainAndAgain(number: number): Promise<number> {
  const home = await mkdtemp(join(tmpdir(), 'keyturn-sigkill-'))
  const key = randomBytes(32)
  try {
    await makeFolders(home)
    const store = new FileStore(home, deriveKeys(key), systemEnv({ log: () => {} }))
    await writeFile(join(home, 'target'), 'first')
    await store.create('db', new SecretText(JSON.stringify({ password: 'first' })), { 'keyturn-rotator': 'file-target' })
    const turnMs = await rotationMs(home, key.toString('hex'))
    let visible = (await look(store)).current
    let changes = 0
    for (let kill = 0; kill < killsPerHome; kill++) {
      const child = fork(program, [home, key.toString('hex')], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
      await once(child, 'message') // what the last one left is finished, without waiting for any lease
      await delay(moment(number, kill) * turnMs)
      child.kill('SIGKILL')
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
      assert.equal(signal, 'SIGKILL', `home ${number}, kill ${kill}: the process ended by itself`)
      const seen = await look(store)
      const target = await readFile(join(home, 'target'), 'utf8')
      assert.ok(seen.all.includes(target), `home ${number}, kill ${kill}: what the target accepts is kept nowhere`)
      if (seen.current !== visible) changes++
      visible = seen.current
    }
    const child = fork(program, [home, key.toString('hex')], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    await once(child, 'message')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const left = (await readFile(join(home, 'audit.jsonl'), 'utf8'))
      .split('\n')
      .filter((line) => line.includes('"store.publish"') && line.includes('"intent"')).length
    assert.ok(left >= changes && changes > killsPerHome / 10, `${changes} visible changes, ${left} publications begun`)
    return killsPerHome
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

it(`${2 * killsPerHome} real SIGKILLs at seeded random moments: nothing is lost, and the next process goes on at once`, async () => {
  const kills = await Promise.all([1, 2].map(killAgainAndAgain))
  assert.equal(
    kills.reduce((sum, count) => sum + count, 0),
    2 * killsPerHome,
  )
})
