import assert from 'node:assert/strict'
import { codeOf } from '../../shared/core/errors.js'
import type { Retiring } from '../../shared/core/ports/store.js'
import type { CredentialId, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { watchedAzure, watchedAzureOf } from '../harness/azure-watched.js'
import { azuriteSkip } from '../harness/azurite.js'
import type { Fault } from '../harness/faults.js'
import { suite } from '../harness/suite.js'
import { laterMs, World } from '../harness/world.js'

const policy = { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b' }
const ourTags = ['keyturn-at', 'keyturn-base', 'keyturn-policy', 'keyturn-token']
const tagsOf = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`Their-${n}`, ` "%'\\ü\n{} ${n}`]))
const fails = (code: string) => (cause: unknown) => codeOf(cause) === code

suite('a secret in Azure Key Vault', azuriteSkip, ({ after, it }) => {
  const watched = watchedAzure()
  after(async () => watched.close?.())
  let count = 0
  const open = (more = {}) => World.open('b', watched.open, `azure-${++count}`, more)
  const doubleOf = (world: World) => watchedAzureOf(world).double
  const newest = (world: World) => doubleOf(world).versions('db').at(-1) ?? assert.fail('there is no version')
  const rotated = (world: World, faults: readonly Fault[] = []) =>
    world.run(world.newProcess(faults), { at: world.env.time }).then(({ outcome }) => outcome, codeOf)
  const tell = (world: World) => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  const blobOf = (world: World) =>
    watchedAzureOf(world).services.azurite.client().getContainerClient('keyturn').getBlockBlobClient(world.ref.key)
  /** A secret of somebody else with so many tags, which was then adopted. */
  async function adopted(tags: number): Promise<World> {
    const world = await open()
    await world.store.release(world.ref)
    doubleOf(world).writeForeign('db', world.firstValue, { tags: tagsOf(tags), contentType: 'text/plain; theirs' })
    await adopt(world.deps('a person'), world.store, world.ref.shown, policy)
    world.env.time += laterMs * 8
    return world
  }

  it('keeps tags of others and the content type, byte for byte; ours are at most five, and ten of others fit beside them', async () => {
    const world = await adopted(10)
    assert.equal(await rotated(world), 'published')
    const { tags = {}, contentType, value } = newest(world)
    assert.equal(value, await world.currentText())
    const ours = Object.keys(tags).filter((key) => key.startsWith('keyturn-'))
    assert.deepEqual([ours.sort(), contentType], [ourTags, 'text/plain; theirs'])
    assert.deepEqual(Object.fromEntries(Object.entries(tags).filter(([key]) => !key.startsWith('keyturn-'))), tagsOf(10))
  })

  it('refuses eleven tags of others before the database is touched, and rotates once there are ten', async () => {
    const world = await adopted(10)
    const with11 = { ...newest(world).tags, ...tagsOf(11) }
    doubleOf(world).writeForeign('db', world.firstValue, { tags: with11 })
    world.env.time += laterMs * 8
    const [versions, logins] = [doubleOf(world).versions('db').length, world.target.logins.length]
    const process = world.newProcess()
    await assert.rejects(world.run(process, { at: world.env.time }), fails('too_large'))
    assert.deepEqual([doubleOf(world).versions('db').length, world.target.logins.length], [versions, logins])
    assert.ok(!process.effects.some((name) => name.startsWith('target.') || name === 'setSecret'), process.effects.join(' '))
    doubleOf(world).writeForeign('db', world.firstValue, { tags: tagsOf(10) })
    world.env.time += laterMs * 8
    assert.equal(await rotated(world), 'published')
  })

  it('somebody adds tags after the value was set: it is published all the same, and with no room at all the way back is said', async () => {
    /** The service keeps tags for each version; a person changes those of the newest. */
    const retag = (world: World, count: number): void => {
      const { versions, ...rest } = doubleOf(world).vault().secrets.get('db') ?? assert.fail('it is gone')
      const [first, ...others] = versions
      const tagged = [...others.slice(0, -1), ...others.slice(-1).map((one) => ({ ...one, tags: tagsOf(count) }))]
      doubleOf(world)
        .vault()
        .secrets.set('db', { ...rest, versions: [first, ...tagged] })
    }
    for (const [count, outcome] of [
      [13, 'published'],
      [14, 'too_large'],
    ] as const) {
      const [world, dry] = [await adopted(10), await adopted(10)]
      const process = dry.newProcess()
      await dry.run(process)
      const at = process.effects.indexOf('target.set')
      assert.equal(await rotated(world, [{ at, mode: 'act', act: async () => retag(world, count) }]), outcome)
      const ours = Object.keys(newest(world).tags ?? {}).filter((key) => key.startsWith('keyturn-'))
      assert.deepEqual(ours.sort(), outcome === 'published' ? ['keyturn-base', 'keyturn-token'] : [])
      if (outcome === 'too_large') {
        retag(world, 2)
        world.env.time += laterMs
        await world.run(world.newProcess(), { kind: 'resume' })
      }
      assert.ok(world.accepts(await world.currentText()))
      assert.equal(await world.published(), 1)
    }
  })

  it('stays managed where somebody writes a version without tags: the master copy of the policy is with the journal', async () => {
    const world = await open({ 'keyturn-grace': '2h' })
    const { policy: before } = await world.store.describe(world.ref)
    await world.writeByHand()
    assert.equal(newest(world).tags, undefined)
    const state = await world.store.describe(world.ref)
    assert.deepEqual([state.policy, state.policy['keyturn-grace']], [before, '2h'])
    const names: string[] = []
    for await (const { ref, policy: seen } of world.store.list({ managed: true })) names.push(`${ref.shown} ${seen['keyturn-grace']}`)
    assert.deepEqual(names, [`${world.ref.shown} 2h`])
    await tell(world)
    world.env.time += laterMs * 8
    assert.equal(await rotated(world), 'published')
    assert.match(newest(world).tags?.['keyturn-policy'] ?? '', /grace=2h/)
  })

  it('and where the blob is lost: the copy in the tags counts, until a claim has made the blob again', async () => {
    const world = await open()
    const { policy: before } = await world.store.describe(world.ref)
    await blobOf(world).delete()
    const { policy: tagged, journal } = await world.store.describe(world.ref)
    assert.deepEqual([tagged, journal], [before, null])
    const names: string[] = []
    for await (const { ref } of world.store.list({ managed: true })) names.push(ref.shown)
    assert.deepEqual(names, [world.ref.shown])
    assert.equal(await rotated(world), 'published')
    assert.deepEqual((await world.store.describe(world.ref)).policy, before)
    assert.ok(await blobOf(world).exists())
  })

  it('a value of somebody else under our own tags is theirs: consumers read it, so it is current, and it is proven first', async () => {
    const world = await open()
    await rotated(world)
    await tell(world)
    const { tags = {}, value } = newest(world)
    const theirs = value.replace(/"password":"[^"]*"/, '"password":"of-somebody-0123456789"')
    const id = doubleOf(world).writeForeign('db', theirs, { tags })
    const { current } = await world.store.describe(world.ref)
    assert.equal(current?.id, id)
    await assert.rejects(tell(world), fails('stuck'))
  })

  it('tells each publication from the one before, however many there are in a second, and though listings are behind', async () => {
    const world = await open()
    let last = (await world.store.describe(world.ref)).current?.id
    const second = Math.ceil(world.env.time / 1000) * 1000
    for (let turn = 1; turn <= 4; turn++) {
      world.env.time = second + turn * 200
      await world.run(world.newProcess(), { kind: 'emergency', reason: 'test', at: world.env.time })
      const { current, previous } = await world.store.describe(world.ref)
      assert.deepEqual([previous?.id, current?.id === last], [last, false], `turn ${turn}`)
      last = current?.id
    }
    assert.equal(
      new Set(
        doubleOf(world)
          .versions('db')
          .map(({ created }) => created),
      ).size,
      2,
    )
    await world.writeByHand()
    doubleOf(world).fault = ({ name }) => (name === 'GetSecretVersions' ? { staleWrites: 1 } : undefined)
    const { current, previous } = await world.store.describe(world.ref)
    assert.deepEqual([current?.id, previous?.id], [newest(world).id, last])
  })

  it('a person writes between our test and the intent, between the intent and our write, and right after it', async () => {
    const dry = (await open()).newProcess()
    await (await open()).run(dry)
    const writes = dry.effects.flatMap((name, index) => (name === 'blob.write' ? [index] : []))
    const add = dry.effects.lastIndexOf('setSecret')
    const intent = writes.filter((at) => at < add).at(-1) ?? assert.fail(dry.effects.join(' '))
    for (const [at, published] of [
      [intent, 0],
      [intent + 1, 0],
      [add, 1],
    ] as const) {
      const world = await open()
      const outcome = await rotated(world, [{ at, mode: 'act', act: () => world.writeByHand() }])
      const { current, journal } = await world.store.describe(world.ref)
      assert.deepEqual([outcome, await world.published()], ['foreign_write', published], `before ${dry.effects[at]}`)
      assert.equal(journal?.unproven, current?.id)
      assert.equal(doubleOf(world).versions('db').length, 2 + published)
    }
    const world = await open()
    assert.equal(await rotated(world, [{ at: add + 1, mode: 'act', act: () => world.writeByHand() }]), 'published')
    const logins = world.target.logins.length
    await tell(world)
    const { current, journal } = await world.store.describe(world.ref)
    assert.deepEqual([world.target.logins.length, journal?.announced], [logins + 1, current?.id])
  })

  it('keeps neither a value nor a digest in the blob', async () => {
    const world = await open()
    await rotated(world)
    await tell(world)
    const { metadata } = await blobOf(world).getProperties()
    const text = `${JSON.stringify(metadata)} ${await blobOf(world).downloadToBuffer()} ${JSON.stringify(
      doubleOf(world)
        .versions('db')
        .map(({ tags }) => tags),
    )}`
    for (const { value } of [...doubleOf(world).versions('db'), ...doubleOf(world).versions('db-pending')]) {
      const password = /"password":"([^"]*)"/.exec(value)?.[1] ?? value
      assert.ok(!text.includes(password), 'a password is in the blob or the tags')
    }
    assert.match(text, /"published":/)
  })

  it('keeps a journal that no listing has room for, and a reason that is not ASCII', async () => {
    const world = await open()
    const retiring = Array.from({ length: 60 }, (_, n): Retiring => {
      const [id, version] = [`credential-${n}-ü` as CredentialId, newest(world).id as VersionId]
      return { id, version, since: 1, notBefore: 2, state: 'waiting' }
    })
    await world.store.note(await world.store.describe(world.ref), { retiring })
    assert.deepEqual((await world.store.describe(world.ref)).journal?.retiring, retiring)
    for await (const { journal } of world.store.list({ managed: true })) assert.equal(journal, undefined)
    await world.store.note(await world.store.describe(world.ref), { retiring: retiring.slice(0, 1) })
    for await (const { journal } of world.store.list({ managed: true })) assert.deepEqual(journal?.retiring, retiring.slice(0, 1))
  })

  it('a person puts a value by the platform’s own tools, and then by ours', async () => {
    const world = await open()
    await world.writeByHand()
    await tell(world)
    world.env.time += laterMs * 8
    await world.run(world.newProcess(), { kind: 'put', at: world.env.time }, new SecretText(await world.currentText()))
    assert.equal(newest(world).tags?.['keyturn-base'], doubleOf(world).versions('db').at(-2)?.id)
  })
})
