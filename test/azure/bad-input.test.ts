import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { places, secrets } from '../harness/azure-bad-input/services.js'
import { accountKey, settings } from '../harness/azure-bad-input/settings.js'
import { texts } from '../harness/azure-bad-input/texts.js'
import { BadInputWorld, type Case, password, tagsOf, value } from '../harness/azure-bad-input.js'
import type { Reply } from '../harness/azure-command-line.js'
import { azuriteSkip } from '../harness/azurite.js'
import { suite } from '../harness/suite.js'

const cases: readonly Case[] = [...places, ...secrets, ...texts, ...settings]

/** The table of the page: what is wrong, the code, the message, the next step. */
const page = readFileSync('docs/azure.md', 'utf8')
const [, table = ''] = /\n\| what is wrong \|[^\n]*\n[^\n]*\n((?:\|[^\n]*\n)+)/.exec(page) ?? []
const rows = table
  .trim()
  .split('\n')
  .map((row) => row.slice(2, -2).split(' | '))

describe('docs/azure.md', () => {
  it('shows one case of each kind of bad input, in its own words', () => {
    assert.deepEqual(
      rows.map(([row]) => row),
      [...new Set(cases.map(({ row }) => row))],
    )
    for (const [wanted, ...cells] of rows)
      assert.ok(
        cases.some(({ row, code, says, next }) => row === wanted && `${cells}` === `${[`\`${code}\``, says, next]}`),
        `${wanted}: ${cells.join(' | ')}`,
      )
  })
})

const said = ({ error }: Reply) => (error === undefined ? assert.fail('it was done') : { ...error })

suite('bad input to a secret of Azure Key Vault, at the command line', azuriteSkip, ({ it, before, after, beforeEach }) => {
  let world: BadInputWorld
  before(async () => {
    world = await BadInputWorld.open()
  })
  after(() => world?.line.close())
  beforeEach(() => world.seed())

  for (const { what, words, stdin, arrange, env, noted, code, field, says, next } of cases)
    it(`${what}: ${code}, and nothing is changed`, async () => {
      const { line } = world
      await arrange?.(world)
      line.clock.setAhead(2000)
      const state = async () => (noted ? world.versions() : line.state())
      const before = await state()
      const answer = await line.json(words, stdin, { ...line.env, ...env })
      const { code: got, message, next: step, field: where } = said(answer)
      assert.deepEqual({ code: got, message, next: step, field: where }, { code, message: says, next, field })
      assert.equal(await state(), before)
      assert.equal(world.target.accounts.get('app'), password)
      for (const secret of [password, accountKey]) assert.ok(!`${answer.stdout}${answer.stderr}`.includes(secret))
    })

  it('without a storage account a secret can be looked at', async () => {
    const { line } = world
    const env = { ...line.env, KEYTURN_AZURE_STORAGE: '' }
    const before = await line.state()
    for (const command of ['status', 'get', 'verify', 'recover']) {
      const { body, error } = await line.json([command, 'azure:app/db'], '', env)
      assert.equal(body.ok, true, JSON.stringify(error))
    }
    for (const command of ['list', 'plan', 'doctor']) {
      const { body, error } = await line.json([command, '--store', 'azure'], '', env)
      assert.equal(body.ok, true, JSON.stringify(error))
    }
    assert.equal(await line.state(), before)
  })

  it('a role that is missing on blobs names the role and the secret', async () => {
    const { line } = world
    line.blobs.fault = () => ({ status: 403, code: 'AuthorizationPermissionMismatch' })
    const before = world.versions()
    const { code, message, next } = said(await line.json(['rotate', 'azure:app/db']))
    line.blobs.reset()
    assert.equal(code, 'denied')
    assert.match(message, /^blobs\/read is denied on 127\.0\.0\.1:\d+, for the journal of azure:app\/db\.$/)
    assert.match(
      next,
      /^Grant a role with it, such as Storage Blob Data Contributor, on the container: keyturn permissions azure:app\/db prints what is needed\./,
    )
    assert.equal(world.versions(), before)
  })

  it('a role that is missing only later leaves the secret as it is, and once it is granted the same command goes on', async () => {
    const { line } = world
    line.double.mayNot = (action, secret) => action.endsWith('/setSecret/action') && secret === 'db'
    const before = line.double.versions('db')
    const { code, message } = said(await line.json(['rotate', 'azure:app/db']))
    assert.deepEqual([code, message], ['denied', 'secrets/setSecret/action is denied on azure:app/db.'])
    assert.deepEqual(line.double.versions('db'), before)
    line.double.mayNot = () => false
    const { body, error } = await line.json(['rotate', 'azure:app/db'])
    assert.equal(body.ok, true, JSON.stringify(error))
    assert.equal(line.double.versions('db').length, 2)
  })

  it('a staging place that was deleted comes back by recover --yes, with what was in it, and the rotation after it works', async () => {
    const { line } = world
    await line.json(['rotate', 'azure:app/db'])
    const before = line.double.versions('db-pending')
    world.remove('db-pending')
    assert.equal(said(await line.json(['rotate', 'azure:app/db'])).code, 'stuck')
    const { body, error } = await line.json(['recover', 'azure:app/db', '--yes'])
    assert.deepEqual([body.done, error], [true, undefined])
    assert.deepEqual(line.double.versions('db-pending').slice(0, before.length), before)
    assert.equal((await line.json(['rotate', 'azure:app/db'])).body.outcome, 'published')
  })

  it('10 tags of others fit, and stay on every version', async () => {
    const { line } = world
    world.write('db', value, tagsOf(10))
    world.change('db', { contentType: 'application/json' })
    const { body, error } = await line.json(['rotate', 'azure:app/db'])
    assert.equal(body.ok, true, JSON.stringify(error))
    const newest = line.double.versions('db').at(-1)
    assert.deepEqual({ ...newest?.tags, ...tagsOf(10) }, newest?.tags)
    assert.equal(newest?.contentType, 'application/json')
  })

  it('a disabled newest version can be looked at, and is rotated once it is enabled again', async () => {
    const { line } = world
    world.write('db', value)
    world.disable('db')
    for (const command of ['status', 'get']) assert.equal((await line.json([command, 'azure:app/db'])).body.ok, true)
    assert.equal(said(await line.json(['verify', 'azure:app/db'])).code, 'not_found')
    world.change('db', { enabled: true })
    assert.equal((await line.json(['rotate', 'azure:app/db'])).body.outcome, 'published')
  })

  it('a disabled newest version is current whatever its id, also where it is of the same second as the one before', async () => {
    const { line } = world
    for (const secret of ['a', 'b', 'c', 'd', 'e', 'f']) {
      line.clock.setAhead(1000 - (line.clock.now() % 1000))
      line.double.writeForeign(secret, value)
      const last = line.double.writeForeign(secret, value)
      world.disable(secret)
      assert.equal((await line.json(['get', `azure:app/${secret}`])).body.version, last)
    }
  })

  it('a secret whose only version is disabled has its age', async () => {
    const { line } = world
    world.write('one', value)
    world.disable('one')
    const { body } = await line.json(['get', 'azure:app/one'])
    assert.ok(line.clock.now() - Date.parse(String(body.publishedAt)) < 60_000, String(body.publishedAt))
  })

  it('names are of any case', async () => {
    const { line } = world
    assert.equal((await line.json(['status', 'azure:APP/Db'])).body.ref, 'azure:app/db')
  })
})
