import assert from 'node:assert/strict'
import { BadInputWorld } from '../harness/azure-bad-input.js'
import { azuriteSkip } from '../harness/azurite.js'
import { suite } from '../harness/suite.js'

const ref = 'azure:app/db'

suite(
  'docs/azure.md says what is lost with a journal or a staging place, and the way back',
  azuriteSkip,
  ({ it, before, after, beforeEach }) => {
    let world: BadInputWorld
    before(async () => {
      world = await BadInputWorld.open()
    })
    after(() => world?.line.close())
    beforeEach(async () => {
      await world.seed()
      assert.equal(await outcome('rotate'), 'published')
    })

    const container = () => world.line.azurite.client().getContainerClient('keyturn')
    const blob = () => container().getBlockBlobClient('app.vault.azure.net/db')
    const outcome = async (command: string, ...more: readonly string[]): Promise<unknown> => {
      const { body, error } = await world.line.json([command, ref, ...more])
      return error?.code ?? body.outcome ?? body.done ?? body
    }
    const policyOf = async () => (await world.line.json(['get', ref])).body.policy

    it('the blob: the policy is read from the tags of the newest version, and the next rotation writes a new journal', async () => {
      const policy = await policyOf()
      await blob().delete()
      assert.deepEqual(await policyOf(), policy)
      assert.equal(await outcome('rotate'), 'published')
      assert.deepEqual([await policyOf(), Object.keys(await world.line.documents())], [policy, ['keyturn/app.vault.azure.net/db']])
    })

    it('the blob while a rotation is open: the staged value is found by its tags, tried, and published', async () => {
      world.line.double.mayNot = (action, secret) => action.endsWith('/setSecret/action') && secret === 'db'
      assert.equal(await outcome('rotate'), 'denied')
      const open = world.line.double.versions('db-pending').at(-1)
      world.line.double.mayNot = () => false
      await blob().delete()
      const { body } = await world.line.json(['rotate', ref])
      assert.deepEqual([body.outcome, body.steps], ['published', ['set', 'test', 'finish']])
      assert.equal(world.line.double.versions('db').at(-1)?.value, open?.value)
    })

    it('a blob that was cut off: damaged, until it is restored or deleted', async () => {
      await blob().upload('{"policy":', 10)
      assert.equal(await outcome('rotate'), 'damaged')
      await blob().delete()
      assert.equal(await outcome('rotate'), 'published')
    })

    it('the container: adopt makes it again', async () => {
      await container().delete()
      assert.equal(await outcome('rotate'), 'bad_config')
      assert.equal((await world.line.json(['adopt', ref])).body.ok, true)
      assert.equal(await outcome('rotate'), 'published')
    })

    it('the staging place, and both: stuck, until recover --yes', async () => {
      for (const both of [false, true]) {
        world.line.double.vault().secrets.delete('db-pending')
        if (both) await blob().delete()
        assert.equal(await outcome('rotate'), 'stuck')
        assert.equal(await outcome('recover', '--yes'), true)
        assert.equal(await outcome('rotate'), 'published')
      }
    })

    it('a staging vault that is set later: stuck, until recover --yes makes the place there; two secrets of one name do not share it', async () => {
      const { line } = world
      const env = { ...line.env, KEYTURN_AZURE_STAGING_VAULT: 'staging' }
      const codeOf = async (...words: readonly string[]) => (await line.json(words, '', env)).error?.code
      assert.equal(await codeOf('rotate', ref), 'stuck')
      assert.equal(await codeOf('recover', ref, '--yes'), undefined)
      assert.equal(await codeOf('rotate', ref), undefined)
      assert.equal(line.double.versions('db-pending', 'staging').length, 2)
      line.double.addVault('second')
      line.double.writeForeign('db', line.double.versions('db').at(-1)?.value ?? '', {}, 'second')
      assert.equal(await codeOf('adopt', 'azure:second/db', '--rotator', 'memory-a'), 'exists')
    })
  },
)
