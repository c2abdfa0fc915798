import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { pathOf, secretsFolder } from '../../shared/stores/file/disk.js'
import { makeFolders } from '../../shared/stores/file/home.js'
import { createKeyFile, deriveKeys, parseKey, readKeyFile } from '../../shared/stores/file/keys.js'
import { FileStore } from '../../shared/stores/file.js'
import { FakeEnv } from '../harness/fake-env.js'
import { whyNoMount } from '../harness/programs.js'

const canary = 'p"%\'\\ü-Canary-0123456789'
const token = 'token-0123456789-0123456789-abcdef' as Token
const code =
  (...expected: string[]) =>
  (cause: unknown) =>
    expected.includes((cause as { code: string }).code)

const openFiles = (): readonly string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // that of this listing, which is closed
    }
  })

describe('file store', () => {
  let home: string
  const key = randomBytes(32)
  const env = new FakeEnv()
  let store: FileStore
  let ref: SecretRef
  let path: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'keyturn-file-'))
    await makeFolders(home)
    store = new FileStore(home, deriveKeys(key), env)
    ref = await store.create('db', new SecretText(canary), { 'keyturn-owner': 'me' })
    path = pathOf(home, ref.key)
  })
  afterEach(() => rm(home, { recursive: true, force: true }))

  /** Everything that reads or writes answers with the code, and the file stays as it is. */
  async function refusesAll(broken: FileStore, ...codes: string[]): Promise<void> {
    const before = await readFile(path)
    const good = { ref, publishedAt: 0, loose: [], drivenBy: 'engine', policy: {}, journal: null, rev: '1' } as const
    const claim = { ref, token, kind: 'rotate', holder: 'h', attempt: 1, base: null, leaseUntil: 0, drivenBy: 'engine' } as const
    const calls = [
      () => broken.describe(ref),
      () => broken.claim(good, { token, kind: 'rotate', holder: 'h', leaseMs: 1 }),
      () => broken.stage(claim, new SecretText('x')),
      () => broken.note(good, { code: 'stuck' }),
      () => broken.setPolicy(ref, { 'keyturn-owner': 'you' }),
      () => broken.release(ref),
    ]
    for (const call of calls) await assert.rejects(call(), code(...codes))
    assert.ok(before.equals(await readFile(path)))
  }

  const noHandles = existsSync('/proc/self/fd') ? false : 'this system does not tell which files are open'
  it('a listing that ends early closes its folder', { skip: noHandles }, async () => {
    await store.create('other', new SecretText(canary), {})
    const open = (): boolean => openFiles().includes(secretsFolder(home))
    for await (const _ of store.list({ managed: false })) {
      assert.ok(open())
      break
    }
    assert.ok(!open(), 'after list')
    await store.create('third', new SecretText(canary), {}) // looks at the key of any one file
    assert.ok(!open(), 'after create')
  })

  it('a wrong key is told from a damaged file, and changes nothing', async () =>
    refusesAll(new FileStore(home, deriveKeys(randomBytes(32)), env), 'bad_config'))

  it('a file that is cut off anywhere is damaged, and left so', async () => {
    const whole = await readFile(path)
    for (let length = 0; length < whole.length - 2; length += 37) {
      await writeFile(path, whole.subarray(0, length))
      await refusesAll(store, 'damaged')
    }
  })

  it('any edit is seen: policy, stage, journal, times, a sealed value, a single character', async () => {
    const text = await readFile(path, 'utf8')
    const edits: ((document: Record<string, unknown>) => void)[] = [
      (document) => Object.assign(document, { policy: {} }),
      (document) => Object.assign(document, { previous: document.current }),
      (document) => Object.assign(document, { journal: { retiring: [] } }),
      (document) => Object.assign(document, { publishedAt: 5 }),
      (document) => Object.assign(document, { rev: 9 }),
      (document) => Object.assign(document, { mac: '' }),
      (document) => Reflect.deleteProperty(document, 'mac'),
      (document) => Object.assign((document.versions as { sealed: object }[])[0]?.sealed ?? {}, { value: 'AAAA' }),
    ]
    for (const edit of edits) {
      const document = JSON.parse(text) as Record<string, unknown>
      edit(document)
      await writeFile(path, JSON.stringify(document))
      await refusesAll(store, 'damaged')
    }
    const sealed = (JSON.parse(text) as { versions: { sealed: { value: string } }[] }).versions[0]?.sealed.value ?? ''
    const flipped = sealed.slice(0, 20) + (sealed[20] === 'A' ? 'B' : 'A') + sealed.slice(21)
    await writeFile(path, text.replace(sealed, flipped))
    await refusesAll(store, 'damaged')
  })

  it('a file under another secret’s name is damaged, also with the right key', async () => {
    const other = await store.create('other', new SecretText('x'), {})
    await writeFile(pathOf(home, other.key), await readFile(path))
    await assert.rejects(store.describe(other), code('damaged'))
  })

  it('a full disk and a read-only one are told, and the old file stands', { skip: whyNoMount() }, async () => {
    const small = await mkdtemp(join(tmpdir(), 'keyturn-small-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small])
    try {
      await makeFolders(small)
      const full = new FileStore(small, deriveKeys(key), env)
      const there = await full.create('db', new SecretText(canary), {})
      const file = pathOf(small, there.key)
      const before = await readFile(file)
      const claim = await full.claim(await full.describe(there), { token, kind: 'rotate', holder: 'h', leaseMs: 60_000 })
      const claimed = await readFile(file)
      await assert.rejects(
        full.stage(claim, new SecretText('x'.repeat(60_000))),
        (cause: unknown) => code('unavailable')(cause) || (cause as { code: string }).code === 'ENOSPC',
      )
      assert.ok(claimed.equals(await readFile(file)) && !claimed.equals(before))
      assert.deepEqual(
        (await readdir(join(small, 'secrets'))).filter((name) => name.includes('draft')),
        [],
      )
      execFileSync('mount', ['-o', 'remount,ro', small])
      await assert.rejects(full.setPolicy(there, { 'keyturn-owner': 'you' }), (cause: unknown) => full.classify(cause) === 'denied')
      assert.ok(claimed.equals(await readFile(file)))
      assert.equal((await full.read(there, claim.base as NonNullable<typeof claim.base>)).reveal(), canary)
    } finally {
      execFileSync('umount', [small])
      await rm(small, { recursive: true })
    }
  })

  it('keeps no value in the clear, and seals the same value differently each time', async () => {
    await store.create('twice', new SecretText(canary), {})
    const texts = await Promise.all((await readdir(join(home, 'secrets'))).map((name) => readFile(join(home, 'secrets', name), 'utf8')))
    const forms = [
      canary,
      JSON.stringify(canary).slice(1, -1),
      encodeURIComponent(canary),
      Buffer.from(canary).toString('base64').slice(0, -2),
      Buffer.from(canary).toString('hex'),
    ]
    for (const text of texts) for (const form of forms) assert.ok(!text.includes(form))
    const sealed = texts.map((text) => (JSON.parse(text) as { versions: { sealed: { value: string } }[] }).versions[0]?.sealed.value)
    assert.notEqual(sealed[0], sealed[1])
  })

  it('takes names that are one file each on every file system, and no others', async () => {
    for (const name of ['a', 'temporal/pg', 'a.b-c_d', '0'])
      assert.equal((await store.create(name, new SecretText('x'), {})).shown, `file:${name}`)
    for (const name of ['', 'DB', '../x', '/etc', '.hidden', 'a b', 'ü', 'x'.repeat(101)])
      await assert.rejects(store.create(name, new SecretText('x'), {}), code('bad_event'))
    const found: string[] = []
    for await (const state of store.list({ managed: false })) found.push(state.ref.key)
    assert.deepEqual(found.sort(), ['0', 'a', 'a.b-c_d', 'db', 'temporal/pg'])
  })

  it('keeps a handful of old versions, and never lets go of current or previous', async () => {
    for (let count = 0; count < 20; count++) {
      const claim = await store.claim(await store.describe(ref), {
        token: `${token}-${count}` as Token,
        kind: 'rotate',
        holder: 'h',
        leaseMs: 1000,
      })
      await store.publish(claim, (await store.stage(claim, new SecretText(`value ${count}`))).version)
    }
    const values: string[] = []
    for await (const { id } of store.history(ref)) values.push((await store.read(ref, id)).reveal())
    assert.deepEqual(values.slice(0, 3), ['value 19', 'value 18', 'value 17'])
    assert.equal(values.length, 10)
  })

  it('refuses a value over its limit before writing', async () => {
    await assert.rejects(store.create('big', new SecretText('x'.repeat(65_537)), {}), code('too_large'))
  })
})

describe('the key of the file store', () => {
  it('is 32 bytes as base64 or hex, and nothing else', () => {
    const bytes = randomBytes(32)
    assert.deepEqual(parseKey(new SecretText(bytes.toString('base64')), 'KEYTURN_KEY'), bytes)
    assert.deepEqual(parseKey(new SecretText(` ${bytes.toString('hex')}\n`), 'KEYTURN_KEY'), bytes)
    for (const text of ['', 'short', bytes.toString('base64').slice(4), `${bytes.toString('base64')}AAAA`, 'x'.repeat(64)]) {
      assert.throws(
        () => parseKey(new SecretText(text), 'KEYTURN_KEY'),
        (cause: unknown) => code('bad_config')(cause) && (cause as { field: string }).field === 'KEYTURN_KEY',
      )
    }
  })

  it('stands in a file that only its owner may read, and is never overwritten', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-key-'))
    const file = join(folder, 'key')
    await assert.rejects(readKeyFile(file), code('bad_config'))
    await createKeyFile(file, new FakeEnv().random)
    assert.equal((await readKeyFile(file)).length, 32)
    await assert.rejects(createKeyFile(file, new FakeEnv().random), code('exists'))
    for (const mode of [0o644, 0o640, 0o604]) {
      await chmod(file, mode)
      await assert.rejects(readKeyFile(file), code('bad_config'))
    }
    await mkdir(join(folder, 'x'))
    await rm(folder, { recursive: true })
  })
})
