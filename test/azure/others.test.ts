import assert from 'node:assert/strict'
import { codeOf } from '../../shared/core/errors.js'
import type { Seen } from '../../shared/core/ports/store.js'
import type { VersionId } from '../../shared/core/ports/words.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { watchedAzure, watchedAzureOf } from '../harness/azure-watched.js'
import { disturbAzure, wipeJournal } from '../harness/azure-watched-others.js'
import { azuriteSkip } from '../harness/azurite.js'
import { addConsumers } from '../harness/consumers.js'
import type { Fault } from '../harness/faults.js'
import { suite } from '../harness/suite.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

const fails = (code: string) => (cause: unknown) => codeOf(cause) === code

/** The shortest traces of what others do to the vault and the blob while we are at work. */
suite('others at a secret in Azure Key Vault', azuriteSkip, ({ after, it }) => {
  const watched = watchedAzure()
  after(async () => watched.close?.())
  let count = 0
  const open = (rotator: MemoryClass, policy = {}) => World.open(rotator, watched.open, `azure-others-${++count}`, policy)
  const doubleOf = (world: World) => watchedAzureOf(world).double
  const run = (world: World, faults: readonly Fault[] = []) =>
    world.run(world.newProcess(faults), { at: world.env.time }).then(({ outcome }) => outcome, codeOf)
  const effectsOf = async (rotator: MemoryClass) => {
    const process = (await open(rotator)).newProcess()
    const world = await open(rotator)
    await world.run(process)
    return process.effects
  }
  const isGood = async (world: World) => world.accepts(await world.currentText())
  /** Somebody takes the tags of every version of a secret away. */
  function strip(world: World, secret: string): void {
    const { versions, ...rest } = doubleOf(world).vault().secrets.get(secret) ?? assert.fail(`there is no ${secret}`)
    const [first, ...others] = versions.map((one) => ({ ...one, tags: undefined }))
    doubleOf(world)
      .vault()
      .secrets.set(secret, { ...rest, versions: [first ?? assert.fail('it is empty'), ...others] })
  }

  it('somebody takes the tags of the staged value away: the journal says whose it is, and it is published', async () => {
    const effects = await effectsOf('a')
    const world = await open('a')
    await run(world, [{ at: effects.indexOf('target.set'), mode: 'after', act: async () => strip(world, 'db-pending') }])
    world.env.time += laterMs
    assert.equal(await isGood(world), false)
    await world.run(world.newProcess(), { kind: 'resume' })
    assert.deepEqual([await isGood(world), await world.published()], [true, 1])
  })

  it('somebody adds a version of their own to the staging place: it stays as it is, and rotations go on', async () => {
    const world = await open('b')
    doubleOf(world).writeForeign('db-pending', 'a note of somebody')
    assert.equal(await run(world), 'published')
    assert.equal(
      doubleOf(world)
        .versions('db-pending')
        .find(({ value }) => value === 'a note of somebody')?.enabled,
      true,
    )
  })

  it('the blob goes, or the blob and the place, at every call after the test: what was just tested is published', async () => {
    const effects = await effectsOf('a')
    const tested = effects.lastIndexOf('target.login')
    for (const event of ['blob', 'all lost'] as const)
      for (let at = tested + 1; at < effects.length; at++) {
        const world = await open('a')
        const act = () => (event === 'blob' ? wipeJournal(watchedAzureOf(world), world) : disturbAzure(watchedAzureOf(world), world, event))
        const outcome = await run(world, [{ at, mode: 'act', act }])
        assert.equal(await isGood(world), true, `${event} before ${at} ${effects[at]}: ${outcome}`)
        assert.equal(await world.published(), 1)
      }
  })

  it('another process publishes between a name and the look at it: nobody is told of what was current before', async () => {
    const world = await open('b', { 'keyturn-consumers': 'c0-prompt' })
    const [consumer = assert.fail('no consumer')] = addConsumers(world, [['prompt', true]])
    const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    await tell()
    const store = world.store
    const resolve = store.resolve.bind(store)
    let isFirst = true
    store.resolve = async (text) => {
      const ref = await resolve(text)
      if (!isFirst) return ref
      isFirst = false
      world.env.time += 500
      await world.run(world.newProcess(), { at: world.env.time })
      await tell()
      return ref
    }
    const before = (await world.store.describe(world.ref)).current?.id
    await tell()
    const { current } = await world.store.describe(world.ref)
    assert.notEqual(current?.id, before)
    assert.equal(consumer.told.at(-1)?.version, current?.id)
  })

  it('a listing that cannot show a document shows the secret all the same', async () => {
    const world = await open('b')
    await world.writeByHand()
    const version = (await world.store.describe(world.ref)).current?.id as VersionId
    const seen = Object.fromEntries(
      Array.from({ length: 80 }, (_, n): [string, Seen] => [`consumer-${n}-${'x'.repeat(40)}`, { version, phase: 'synced', at: 1 }]),
    )
    await world.store.note(await world.store.describe(world.ref), { seen })
    const found: string[] = []
    for await (const { ref, journal } of world.store.list({ managed: true })) found.push(`${ref.shown} ${journal === undefined}`)
    assert.deepEqual(found, [`${world.ref.shown} true`])
  })

  it('a disabled version of somebody else, after our test, is not published over', async () => {
    const effects = await effectsOf('b')
    const world = await open('b')
    const act = async (): Promise<void> => void doubleOf(world).writeForeign('db', 'theirs', { enabled: false })
    const at = effects.lastIndexOf('blob.write', effects.lastIndexOf('setSecret'))
    assert.equal(await run(world, [{ at, mode: 'act', act }]), 'foreign_write')
    assert.equal(await world.published(), 0)
  })

  it('a listing is behind for a moment while somebody writes between our look and our write: it is detected', async () => {
    const effects = await effectsOf('b')
    const world = await open('b')
    let behind = 2
    const act = async () => {
      await world.writeByHand()
      const { fault } = doubleOf(world)
      const writes = doubleOf(world).writesOf('db')
      doubleOf(world).fault = (call, n) => {
        if (call.name !== 'GetSecretVersions' || call.secret !== 'db' || behind-- <= 0) return fault(call, n)
        return { staleWrites: doubleOf(world).writesOf('db') - writes + 1 }
      }
    }
    assert.equal(await run(world, [{ at: effects.lastIndexOf('setSecret'), mode: 'act', act }]), 'foreign_write')
    const { journal, current } = await world.store.describe(world.ref)
    assert.equal(journal?.unproven, current?.id)
  })

  it('too many tags are refused before an issuer makes a credential', async () => {
    const world = await open('c')
    const tags = Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`their-${n}`, 'x']))
    doubleOf(world).writeForeign('db', world.firstValue, { tags })
    world.env.time += laterMs * 8
    const keys = world.target.keys.size
    await assert.rejects(world.run(world.newProcess(), { at: world.env.time }), fails('too_large'))
    assert.equal(world.target.keys.size, keys)
  })

  it('the blob and the tags of current go: what is staged is still seen, so that nothing is released', async () => {
    const effects = await effectsOf('a')
    const world = await open('a')
    await run(world, [{ at: effects.indexOf('target.set'), mode: 'after' }])
    strip(world, 'db')
    await wipeJournal(watchedAzureOf(world), world)
    const { loose, policy } = await world.store.describe(world.ref)
    assert.deepEqual([loose.length, policy], [1, {}])
    await assert.rejects(world.store.release(world.ref), fails('held'))
    await world.store.setPolicy(world.ref, { 'keyturn-rotator': 'memory-a' })
    world.env.time += laterMs
    await world.run(world.newProcess(), { kind: 'resume' })
    if (!(await isGood(world))) await world.act(world.newProcess(), (deps) => recover(deps, world.store, world.ref.shown, true))
    assert.equal(await isGood(world), true)
  })
})
