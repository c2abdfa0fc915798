import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pathArtefact } from '../../shared/artefacts/path.js'
import { codeOf } from '../../shared/core/errors.js'
import { type PublicJwk, PublicText } from '../../shared/core/public-key.js'
import { FakeEnv } from '../harness/fake-env.js'
import { whyMissing, withoutRights } from '../harness/programs.js'

const keyOf = (kid: string): PublicJwk => ({ kty: 'OKP', kid, alg: 'EdDSA', use: 'sig', crv: 'Ed25519', x: 'x' })
const setOf = (...kids: string[]) => PublicText.ofKeys(kids.map(keyOf))
const context = { env: new FakeEnv(), deadline: Number.MAX_SAFE_INTEGER, write: (act: () => Promise<void>) => act() }

describe('a public set in a file', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-path-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('by a rename: whoever reads it while it changes finds the old or the new one, whole; nothing is left beside it', async () => {
    const file = join(folder, 'jwks.json')
    const artefact = pathArtefact(file, 'rename', 'jwks')
    const [one, two] = [setOf('a'), setOf('a', 'b')]
    assert.equal(await artefact.publish(one, context), 'written')
    assert.equal(await artefact.publish(one, context), 'same')
    assert.equal((await stat(file)).mode & 0o777, 0o644)
    const old = await open(file)
    let over = false
    const reader = (async () => {
      const seen = new Set<string>()
      while (!over) seen.add(await readFile(file, 'utf8'))
      return seen
    })()
    for (let turn = 0; turn < 50; turn++) await artefact.publish(turn % 2 === 0 ? two : one, context)
    over = true
    for (const text of await reader) assert.ok([String(one), String(two)].includes(text))
    assert.equal(await old.readFile('utf8'), String(one)) // who had it open was not cut off
    await old.close()
    assert.deepEqual(await readdir(folder), ['jwks.json'])
  })

  it('plain: the file itself is written, as one needs that is mounted by itself', async () => {
    const file = join(folder, 'plain.json')
    await writeFile(file, 'old')
    const { ino } = await stat(file)
    assert.equal(await pathArtefact(file, 'plain', 'jwks').publish(setOf('a'), context), 'written')
    assert.equal((await stat(file)).ino, ino)
    assert.equal(await readFile(file, 'utf8'), String(setOf('a')))
  })

  it('is not written where a pipe is in its place, which is not waited for', { skip: whyMissing('mkfifo') }, async () => {
    const file = join(folder, 'pipe')
    execFileSync('mkfifo', [file])
    for (const way of ['rename', 'plain'] as const)
      await assert.rejects(pathArtefact(file, way, 'jwks').publish(setOf('a'), context), {
        code: 'delivery_failed',
        field: 'companions.jwks.at',
      })
    await rm(file)
  })

  it('names the companion where it cannot be written, and leaves what was there', async () => {
    const nowhere = pathArtefact(join(folder, 'no', 'such', 'folder.json'), 'rename', 'jwks')
    const failed = (code: string) => (cause: unknown) =>
      codeOf(cause) === code && (cause as { field?: string }).field === 'companions.jwks.at'
    await assert.rejects(nowhere.publish(setOf('a'), context), failed('delivery_failed'))
    await chmod(folder, 0o500)
    const act = () => pathArtefact(join(folder, 'jwks.json'), 'rename', 'jwks').publish(setOf('z'), context)
    await withoutRights(() => assert.rejects(act(), failed('denied')))
    await chmod(folder, 0o700)
  })
})
