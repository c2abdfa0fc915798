import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { auditSink } from '../../shared/app/audit-file.js'
import { systemEnv } from '../../shared/core/env.js'
import type { SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { secretsFolder } from '../../shared/stores/file/disk.js'
import { makeFolders } from '../../shared/stores/file/home.js'
import { createKeyFile, deriveKeys } from '../../shared/stores/file/keys.js'
import { FileStore } from '../../shared/stores/file.js'
import { diskCalls } from '../harness/disk-calls.js'
import { FakeEnv } from '../harness/fake-env.js'

const token = 'token-0123456789-0123456789-abcdef' as Token
/** Content before name: a power cut between any two of these leaves the old file or the new one. */
const replaced = ['write .draft-db.json', 'sync .draft-db.json', 'rename .draft-db.json → db.json', 'sync .']

describe('what is said to be on disk was asked of the disk, in this order', () => {
  let home: string
  let store: FileStore
  const env = new FakeEnv()
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'keyturn-durable-'))
    await makeFolders(home)
    store = new FileStore(home, deriveKeys(randomBytes(32)), env)
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
  const asked = (act: () => Promise<unknown>) => diskCalls(secretsFolder(home), act)

  it('every write of the store: the draft is written and synced, renamed, and the folder is synced', async () => {
    let ref = {} as SecretRef
    const create = async (): Promise<void> => {
      ref = await store.create('db', new SecretText('first-0123456789'), { 'keyturn-owner': 'me' })
    }
    assert.deepEqual(await asked(create), replaced, 'create')
    const wish = { token, kind: 'rotate', holder: 'h', leaseMs: 60_000 } as const
    const claim = await store.claim(await store.describe(ref), wish)
    let staged = await store.stage(claim, new SecretText('second-0123456789'))
    const published = await store.publish(claim, staged.version)
    assert.equal(published.id, staged.version)
    const next = { ...wish, token: 'token-of-the-next-0123456789-abcd' as Token }
    let later = claim
    const writes: Readonly<Record<string, () => Promise<unknown>>> = {
      claim: async () => {
        later = await store.claim(await store.describe(ref), next)
      },
      stage: async () => {
        staged = await store.stage(later, new SecretText('third-0123456789'))
      },
      publish: () => store.publish(later, staged.version),
      note: async () => store.note(await store.describe(ref), { code: 'stuck' }),
      setPolicy: () => store.setPolicy(ref, { 'keyturn-owner': 'you' }),
    }
    for (const [name, write] of Object.entries(writes)) assert.deepEqual(await asked(write), replaced, name)
    assert.deepEqual(await asked(() => store.describe(ref)), [], 'a look writes nothing')
  })

  it('a new key: its content and then its name', async () => {
    const calls = await diskCalls(home, () => createKeyFile(join(home, 'key'), env.random))
    assert.deepEqual(calls, ['write key', 'sync key', 'sync .'])
  })

  it('an audit record: its content before write() returns, and the name of a new file before that', async () => {
    const path = join(home, 'audit.jsonl')
    const sink = auditSink(path, systemEnv())
    const write = () => sink.write({ at: 1, phase: 'intent', effect: 'publish', ref: 'file:db', holder: 'h' })
    assert.deepEqual(await diskCalls(home, write), ['sync .', 'write audit.jsonl', 'datasync audit.jsonl'])
    assert.deepEqual(await diskCalls(home, write), ['write audit.jsonl', 'datasync audit.jsonl'])
    assert.equal((await readFile(path, 'utf8')).trim().split('\n').length, 2)
  })
})
