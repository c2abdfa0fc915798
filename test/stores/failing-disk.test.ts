import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { checkAudit } from '../../shared/app/audit-check.js'
import { auditSink } from '../../shared/app/audit-file.js'
import { systemEnv } from '../../shared/core/env.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { pathOf, secretsFolder } from '../../shared/stores/file/disk.js'
import { makeFolders } from '../../shared/stores/file/home.js'
import { deriveKeys } from '../../shared/stores/file/keys.js'
import { FileStore } from '../../shared/stores/file.js'
import { FakeEnv } from '../harness/fake-env.js'

type Disk = Record<'open' | 'writeFile' | 'rename' | 'link' | 'truncate', (...args: readonly unknown[]) => Promise<unknown>>
const disk = createRequire(import.meta.url)('node:fs/promises') as Disk
const failure = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code })

/** While `act` runs, calls of the disk that match fail. A method of an open file is named `open.sync` and the like, with the path that was opened. */
async function failing(fails: (call: string, path: string) => string | undefined, act: () => Promise<unknown>): Promise<void> {
  const original = { ...disk }
  const check = (call: string, path: unknown): void => {
    const code = fails(call, String(path))
    if (code !== undefined) throw failure(code)
  }
  for (const name of ['open', 'writeFile', 'rename', 'link', 'truncate'] as const) {
    disk[name] = async (...args) => {
      check(name, args[0])
      const made = await original[name](...args)
      return name === 'open' ? spoiled(made as FileHandle, (method) => check(`open.${method}`, args[0])) : made
    }
  }
  syncBuiltinESMExports()
  try {
    await act()
  } finally {
    Object.assign(disk, original)
    syncBuiltinESMExports()
  }
}

function spoiled(handle: FileHandle, check: (method: string) => void): FileHandle {
  return new Proxy(handle, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== 'function') return member
      return async (...args: unknown[]) => {
        check(String(key))
        return Reflect.apply(member, target, args) as unknown
      }
    },
  })
}

describe('a disk that fails at one call', () => {
  let home: string
  let store: FileStore
  let ref: SecretRef
  const env = new FakeEnv()
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'keyturn-failing-'))
    await makeFolders(home)
    store = new FileStore(home, deriveKeys(randomBytes(32)), env)
    ref = await store.create('db', new SecretText('first-0123456789'), { 'keyturn-owner': 'me' })
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
  const write = (): Promise<void> => store.setPolicy(ref, { 'keyturn-owner': 'you' })
  const owner = async (): Promise<string | undefined> => (await store.describe(ref)).policy['keyturn-owner']

  for (const code of ['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE']) {
    for (const call of ['open', 'open.writeFile', 'open.sync', 'rename'])
      it(`${code} at ${call} of a write: unavailable, the file is unchanged, and the next write works`, async () => {
        const before = await readFile(pathOf(home, ref.key))
        const fails = (made: string, path: string) => (made === call && path.includes('.draft-db') ? code : undefined)
        await failing(fails, () => assert.rejects(write(), { code: 'unavailable' }))
        assert.ok(before.equals(await readFile(pathOf(home, ref.key))))
        await write()
        assert.equal(await owner(), 'you')
      })
    it(`${code} at a read is unavailable, and nothing is taken for absent`, async () => {
      for (const call of ['open', 'open.read']) {
        const fails = (made: string, path: string) => (made === call && path.endsWith('db.json') ? code : undefined)
        await failing(fails, () => assert.rejects(store.describe(ref), { code: 'unavailable' }))
      }
    })
    it(`${code} where the lock is taken is unavailable, and the lock is free after it`, async () => {
      const fails = (made: string, path: string) => (['writeFile', 'link'].includes(made) && path.includes('/lock/') ? code : undefined)
      await failing(fails, () => assert.rejects(write(), { code: 'unavailable' }))
      await write()
      assert.equal(await owner(), 'you')
    })
    it(`${code} where the lock is given back does not undo the write, and this process can take the lock again`, async () => {
      await failing((made) => (made === 'truncate' ? code : undefined), write)
      assert.equal(await owner(), 'you')
      await store.setPolicy(ref, { 'keyturn-owner': 'them' })
      assert.equal(await owner(), 'them')
      assert.ok(env.lines.some((line) => line.code === 'lock_not_released'))
    })
  }

  it('a write that the disk did not confirm is ambiguous: it may have happened, and here it has', async () => {
    const fails = (made: string, path: string) => (made === 'open.sync' && path === secretsFolder(home) ? 'EIO' : undefined)
    await failing(fails, () => assert.rejects(write(), { code: 'ambiguous' }))
    assert.equal(await owner(), 'you')
  })

  it('an audit record that was written in part is taken back, and the chain holds', async () => {
    const path = join(home, 'audit.jsonl')
    const sink = auditSink(path, systemEnv())
    const record = { at: 1, phase: 'intent', effect: 'publish', ref: 'file:db', holder: 'h' } as const
    await sink.write(record)
    const before = await readFile(path)
    for (const code of ['ENOSPC', 'EDQUOT', 'EIO']) {
      const fails = (made: string, at: string) => (made === 'open.appendFile' && at === path ? code : undefined)
      await failing(fails, () => assert.rejects(sink.write(record), { code: 'unavailable', field: 'KEYTURN_AUDIT' }))
      assert.ok(before.equals(await readFile(path)))
    }
    await sink.write(record)
    const { records, torn, broken } = await checkAudit(path)
    assert.deepEqual([records, torn, broken], [2, 0, []])
  })
})
