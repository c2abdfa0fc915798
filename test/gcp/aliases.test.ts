import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { SecretState, VersionInfo } from '../../shared/core/ports/store.js'
import type { SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { changeOf } from '../../shared/lifecycle/decide/publication.js'
import { engineStoreContract } from '../contract/engine-store.js'
import { addForeign, gcpHarness } from '../harness/gcp.js'
import { goByAlias, moveAlias, publishForeign } from '../harness/gcp-aliases.js'

const [first, second, third] = ['first', 'second', 'third'].map((text) => new SecretText(`${text} value`)) as [
  SecretText,
  SecretText,
  SecretText,
]
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected

describe('a secret whose consumers all read by the alias current', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let ref: SecretRef
  let turn = 0
  beforeEach(async () => {
    world = await gcpHarness('one clock')
    turn = 0
    ref = await world.store.create('db', first, { 'keyturn-rotator': 'memory-a' })
    goByAlias(world.double, ref)
    world.env.time += 60_000
  })
  afterEach(() => world.close())

  const secret = () => world.double.secrets.get(ref.key) ?? assert.fail('no secret')
  const aliases = () => Object.fromEntries(secret().aliases)
  const staged = async (value = second) => {
    const token = `token-${++turn}-0123456789-0123456789-abcdef` as Token
    const claimed = await world.store.claim(await world.store.describe(ref), { token, kind: 'rotate', holder: 'one', leaseMs: 60_000 })
    return { claimed, ...(await world.store.stage(claimed, value)) }
  }
  const publish = async (value = second): Promise<VersionInfo> => {
    const { claimed, version } = await staged(value)
    return world.store.publish(claimed, version)
  }
  const confirm = (state: SecretState) => world.store.confirm?.(state) ?? assert.fail('it has no confirm')
  const currentText = async () => {
    const { current } = await world.store.describe(ref)
    return (await world.store.read(ref, current?.id ?? ('none' as VersionId))).reveal()
  }

  it('current is what the alias names, whatever was added since', async () => {
    addForeign(world.double, ref, third)
    const state = await world.store.describe(ref)
    assert.deepEqual([state.current?.id, await currentText()], ['1', 'first value'])
  })

  it('a version that somebody added and no alias names stops no publication, and is not ours', async () => {
    const { claimed, version } = await staged()
    addForeign(world.double, ref, third)
    const { id } = await world.store.publish(claimed, version)
    assert.deepEqual([id, aliases()], ['3', { current: 3, previous: 1 }])
    assert.equal((await world.store.describe(ref)).journal?.rotation?.published, '3')
  })

  it('somebody who moves the alias after the test has written first: foreign_write, and the alias stays', async () => {
    const { claimed, version } = await staged()
    publishForeign(world.double, ref, third)
    await assert.rejects(world.store.publish(claimed, version), code('foreign_write'))
    const state = await world.store.describe(ref)
    assert.deepEqual([aliases(), state.current?.id], [{ current: 2 }, '2'])
    assert.deepEqual([state.journal?.rotation, state.journal?.unproven], [undefined, '2'])
    assert.equal(state.loose.length, 1)
  })

  it('somebody who moves the alias at the moment of our update wins, too', async () => {
    const { claimed, version } = await staged()
    let isMoved = false
    world.double.fault = ({ name, staging }) => {
      if (name === 'UpdateSecret' && !staging && !isMoved) {
        isMoved = true
        publishForeign(world.double, ref, third)
      }
      return undefined
    }
    await assert.rejects(world.store.publish(claimed, version), code('foreign_write'))
    assert.equal(await currentText(), 'third value')
  })

  it('a change of somebody else that leaves the alias alone costs a read', async () => {
    const { claimed, version } = await staged()
    const labels = { team: 'theirs' }
    world.double.do('UpdateSecret', { secret: { name: ref.key, labels }, updateMask: { paths: ['labels'] } })
    assert.equal((await world.store.publish(claimed, version)).id, '2')
    assert.deepEqual(Object.fromEntries(secret().labels), labels)
  })

  it('a publication whose process died before the alias moved is gone on with, and added once', async () => {
    const { claimed, version } = await staged()
    world.double.fault = ({ name, staging }) => (name === 'UpdateSecret' && !staging ? 'unavailable' : undefined)
    await assert.rejects(world.store.publish(claimed, version))
    world.double.fault = () => undefined
    const state = await world.store.describe(ref)
    assert.deepEqual([state.current?.id, state.pending?.id], ['1', version])
    const other = world.another()
    const again = await other.claim(await other.describe(ref), {
      token: claimed.token,
      kind: 'rotate',
      holder: 'one',
      leaseMs: 60_000,
    })
    assert.equal((await other.publish(again, version)).id, '2')
    assert.deepEqual([secret().versions.length, await currentText()], [2, 'second value'])
  })

  it('an added value whose journal was wiped before the alias moved is not taken for published', async () => {
    const { claimed, version } = await staged()
    world.double.fault = ({ name, staging }) => (name === 'UpdateSecret' && !staging ? 'unavailable' : undefined)
    await assert.rejects(world.store.publish(claimed, version))
    world.double.fault = () => undefined
    const place = { name: `${ref.key}--pending`, annotations: {} }
    world.double.do('UpdateSecret', { secret: place, updateMask: { paths: ['annotations'] } })
    const { current, loose } = await world.store.describe(ref)
    assert.deepEqual([current?.id, loose.map(({ id }) => id)], ['1', [version]])
  })

  it('somebody who moves the alias back makes another publication of the old version', async () => {
    const before = await world.store.describe(ref)
    const old = before.current && changeOf(before, before.current)
    world.env.time += 60_000
    const { id } = await publish()
    const published = await world.store.describe(ref)
    await world.store.note(published, { announced: id, sequence: { version: id, value: published.publishedAt } })
    world.env.time += 60_000
    moveAlias(world.double, ref, '1' as VersionId)
    const back = await world.store.describe(ref)
    const change = back.current && changeOf(back, back.current)
    assert.equal(change?.version, '1')
    assert.notEqual(change?.id, old?.id)
    assert.ok(back.publishedAt > published.publishedAt)
    await world.store.note(back, { announced: '1' as VersionId, sequence: { version: '1' as VersionId, value: change?.sequence ?? 0 } })
    const noted = await world.store.describe(ref)
    assert.equal(noted.current && changeOf(noted, noted.current).id, change?.id)
  })

  it('what the alias does not name may be retired although it is newer; what it names never', async () => {
    await publish()
    moveAlias(world.double, ref, '1' as VersionId)
    await assert.rejects(world.store.dispose(ref, '1' as VersionId), code('conflict'))
    await world.store.dispose(ref, '2' as VersionId)
    assert.deepEqual(
      secret().versions.map(({ state }) => state),
      ['ENABLED', 'DISABLED'],
    )
  })

  it('a policy that says so of a secret without the alias is refused before anything is written', async () => {
    const other = await world.store.create('other', first, {})
    const seen = () =>
      [...world.double.secrets].map(([name, { etag, aliases, annotations }]) => [name, etag, [...aliases], [...annotations]])
    const before = seen()
    await assert.rejects(world.store.setPolicy(other, { 'keyturn-aliases': 'only' }), code('bad_config'))
    assert.deepEqual(seen(), before)
    moveAlias(world.double, other, '1' as VersionId)
    await world.store.setPolicy(other, { 'keyturn-aliases': 'only' })
    assert.equal((await world.store.describe(other)).policy['keyturn-aliases'], 'only')
  })

  it('an older answer about the alias is claimed by nobody, and what the alias names is confirmed by a write that changes nothing', async () => {
    await publish()
    const wish = { token: 'token-9-0123456789-0123456789-abcdef' as Token, kind: 'rotate', holder: 'one', leaseMs: 60_000 } as const
    world.double.fault = ({ name, staging }) => (name === 'GetSecret' && !staging ? { staleWrites: 1 } : undefined)
    const old = await world.store.describe(ref)
    assert.deepEqual([old.current?.id, old.pointer], ['1', 'unconfirmed'])
    await assert.rejects(world.store.claim(old, wish), (cause) => world.store.classify(cause) === 'conflict')
    await assert.rejects(confirm(old), (cause) => world.store.classify(cause) === 'conflict')
    world.double.fault = () => undefined
    const state = await world.store.describe(ref)
    const { etag, ...before } = secret()
    await assert.rejects(confirm(old), code('conflict'))
    assert.equal(secret().etag, etag)
    await confirm(state)
    const { etag: after, ...now } = secret()
    assert.notEqual(after, etag)
    assert.deepEqual(now, before)
    assert.equal((await world.store.claim(state, wish)).base, '2')
  })

  it('a secret that is made with this policy has the alias', async () => {
    const made = await world.store.create('made', first, { 'keyturn-aliases': 'only' })
    assert.equal((await world.store.describe(made)).current?.id, '1')
  })

  it('without the alias nothing is done, and the error gives the command that makes it', async () => {
    world.double.do('UpdateSecret', { secret: { name: ref.key, versionAliases: {} }, updateMask: { paths: ['version_aliases'] } })
    await assert.rejects(world.store.describe(ref), (cause: { code?: string; field?: string; next?: string }) => {
      assert.deepEqual([cause.code, cause.field], ['bad_config', 'keyturn-aliases'])
      assert.match(cause.next ?? '', /gcloud secrets update db --project=123456789012 --update-version-aliases=current=NUMBER/)
      return true
    })
  })
})

engineStoreContract({
  name: 'gcp (double, by the alias alone)',
  engine: true,
  forgets: true,
  tellsPublication: true,
  ownClock: true,
  open: async () => {
    const harness = await gcpHarness()
    const { store, double } = harness
    const create = store.create.bind(store)
    store.create = async (...given) => {
      const ref = await create(...given)
      goByAlias(double, ref)
      return ref
    }
    return { ...harness, writeForeign: (ref, value) => publishForeign(double, ref, value) }
  },
})
