import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import type { SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { addForeign, gcpHarness } from '../harness/gcp.js'
import { goByAlias, moveAlias } from '../harness/gcp-aliases.js'

const token = 'token-0123456789-0123456789-abcdef' as Token

describe('the aliases of a secret that others have used up', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let ref: SecretRef
  beforeEach(async () => {
    world = await gcpHarness('one clock')
    ref = await world.store.create('db', new SecretText('first value'), { 'keyturn-rotator': 'memory-a' })
    world.env.time += 60_000
  })
  afterEach(() => world.close())

  const aliases = () => Object.fromEntries(world.double.secrets.get(ref.key)?.aliases ?? [])
  const ours = () => Object.fromEntries(Object.entries(aliases()).filter(([name]) => !name.startsWith('theirs')))
  const theirs = (count: number): void => {
    const all = { ...aliases(), ...Object.fromEntries(Array.from({ length: count }, (_, n) => [`theirs${n}`, 1])) }
    world.double.do('UpdateSecret', { secret: { name: ref.key, versionAliases: all }, updateMask: { paths: ['version_aliases'] } })
    world.env.time += 60_000
  }
  const publish = async (): Promise<void> => {
    const { store } = world
    const claim = await store.claim(await store.describe(ref), { token, kind: 'rotate', holder: 'one', leaseMs: 60_000 })
    const { version } = await store.stage(claim, new SecretText('second value'))
    assert.equal((await store.publish(claim, version)).id, '2')
    assert.equal((await store.describe(ref)).journal?.rotation?.published, '2')
  }
  const logged = () => world.env.lines.map(({ code, fields }) => [code, fields.aliases])

  it('48 of them: there is room for both of ours', async () => {
    theirs(48)
    await publish()
    assert.deepEqual([ours(), logged()], [{ current: 2, previous: 1 }, []])
  })

  it('49: current gets the room, and the log says what was left out', async () => {
    theirs(49)
    await publish()
    assert.deepEqual([ours(), logged()], [{ current: 2 }, [['aliases_full', 'previous']]])
  })

  it('49, and current is there because consumers read by it alone: it moves', async () => {
    goByAlias(world.double, ref)
    theirs(49)
    await publish()
    assert.deepEqual([ours(), logged()], [{ current: 2 }, [['aliases_full', 'previous']]])
  })

  it('50: no alias is ours, and the publication is noted', async () => {
    theirs(50)
    await publish()
    assert.deepEqual([ours(), logged()], [{}, [['aliases_full', 'current previous']]])
  })

  it('a move that the service refuses for another reason is logged, and the publication is noted', async () => {
    moveAlias(world.double, ref, '1' as VersionId)
    world.double.fault = ({ name, staging }) => (name === 'UpdateSecret' && !staging ? { code: status.INVALID_ARGUMENT } : undefined)
    await publish()
    assert.deepEqual([ours(), logged()], [{ current: 1 }, [['aliases_refused', 'current previous']]])
  })

  it('somebody takes the room of the alias by which consumers read: the error says what to remove', async () => {
    goByAlias(world.double, ref)
    world.env.time += 60_000
    let isTaken = false
    world.double.fault = ({ name, staging, request }) => {
      const moves = JSON.stringify(request).includes('version_aliases') // a claim makes sure of the alias, and changes nothing
      if (name !== 'UpdateSecret' || staging || isTaken || !moves) return undefined
      isTaken = true
      world.double.secrets.get(ref.key)?.aliases.delete('current')
      theirs(50)
      world.env.time -= 60_000
      return undefined
    }
    await assert.rejects(publish(), (cause: { code?: string; field?: string; next?: string }) => {
      assert.deepEqual([cause.code, cause.field], ['bad_config', 'version_aliases'])
      assert.match(cause.next ?? '', /gcloud secrets update db .*--remove-version-aliases=/)
      return true
    })
  })

  it('an alias that somebody moves to a younger version at the moment of our move stays there', async () => {
    moveAlias(world.double, ref, '1' as VersionId)
    let isMoved = false
    world.double.fault = ({ name, staging }) => {
      if (name !== 'UpdateSecret' || staging || isMoved) return undefined
      isMoved = true
      moveAlias(world.double, ref, addForeign(world.double, ref, new SecretText('third value')))
      return undefined
    }
    const { store } = world
    const claim = await store.claim(await store.describe(ref), { token, kind: 'rotate', holder: 'one', leaseMs: 60_000 })
    const { version } = await store.stage(claim, new SecretText('second value'))
    await store.publish(claim, version)
    assert.deepEqual(ours(), { current: 3 })
  })

  it('such a move ends nothing where consumers read by the alias alone: they would keep the old value', async () => {
    goByAlias(world.double, ref)
    world.double.fault = ({ name, staging }) => (name === 'UpdateSecret' && !staging ? { code: status.INVALID_ARGUMENT } : undefined)
    await assert.rejects(publish(), (cause) => world.store.classify(cause) === 'bad_event')
    world.double.fault = () => undefined
    world.env.time += 60_000
    await publish()
    assert.deepEqual(ours(), { current: 2, previous: 1 })
  })
})
