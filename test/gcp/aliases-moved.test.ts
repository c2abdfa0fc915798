import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import type { Policy, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { noteSeen } from '../../shared/lifecycle/consumers/seen.js'
import { changeOf } from '../../shared/lifecycle/decide/publication.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { adopt, changePolicy } from '../../shared/lifecycle/secret/adopt.js'
import { addForeign } from '../harness/gcp.js'
import { AliasStore, moveAlias, publishForeign } from '../harness/gcp-aliases.js'
import { countedStoreOf } from '../harness/gcp-counted.js'
import { watchedGcp } from '../harness/gcp-watched.js'
import { laterMs, World } from '../harness/world.js'

const hourMs = 3_600_000
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected
const asked = { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b' }
const [one, two, three] = ['1', '2', '3'] as VersionId[] as [VersionId, VersionId, VersionId]

const aliased = watchedGcp(AliasStore, 'by alias')
const latest = watchedGcp()
after(async () => {
  await aliased.close?.()
  await latest.close?.()
})

let world: World
let count = 0
const double = () => countedStoreOf(world).double
const secret = () => double().secrets.get(world.ref.key) ?? assert.fail('no secret')
const shown = () => world.ref.shown
const act = <T>(what: (deps: ReturnType<World['deps']>) => Promise<T>) => world.act(world.newProcess(), what)
const say = () => act((deps) => announce(deps, shown()))
const retire = async () => (await act((deps) => retirePass(deps, shown()))).entries
const move = (version: VersionId) => moveAlias(double(), world.ref, version)
const state = () => world.store.describe(world.ref)
const states = () => secret().versions.map((version) => version.state)
const named = (version: VersionId) => Buffer.from(secret().versions[Number(version) - 1]?.data ?? '').toString()

/** A secret that was adopted, rotated once and announced. */
async function open(watched = aliased, policy: Policy = {}): Promise<void> {
  world = await World.open('b', watched.open, `gcp-moved-${++count}`, policy)
  await act((deps) => adopt(deps, world.store, shown(), asked))
  await say()
  world.env.time += laterMs * 8
}
async function openRotated(watched = aliased, policy: Policy = {}): Promise<void> {
  await open(watched, policy)
  await world.run(world.newProcess(), { at: world.env.time })
  await say()
  world.env.time += laterMs * 8
}

/** A consumer that has to be seen, and is. */
async function withConsumer(): Promise<void> {
  const shop = { key: 'shop', kind: 'manual', required: true, settings: new SecretText('{}') }
  world.configuration = { ...world.configuration, consumers: { shop } }
  await world.store.setPolicy(world.ref, { 'keyturn-consumers': 'shop' })
}
const drained = () => act((deps) => noteSeen(deps, shown(), { consumer: 'shop', phase: 'drained' }))

/** Until the function that it gives is called, what is read of the secret is one write old. */
function stale(): () => void {
  const service = double()
  const { fault } = service
  service.fault = (call, n) => fault(call, n) ?? (call.name === 'GetSecret' && !call.staging ? { staleWrites: 1 } : undefined)
  restore = () => {
    service.fault = fault
  }
  return restore
}
let restore = (): void => undefined
afterEach(() => restore())

/** Somebody sets another password at the target, for the account that a version has. */
function changedByHand(text: string): SecretText {
  const value = JSON.parse(text)
  world.target.accounts.set(value.username, 'changed-by-a-person-0123456789')
  return new SecretText(JSON.stringify({ ...value, password: 'changed-by-a-person-0123456789' }))
}

describe('an old answer about the alias current', () => {
  it('announces nothing, and arms nothing that is in use', async () => {
    await open(aliased, { 'keyturn-grace': '1m' })
    await withConsumer()
    await world.run(world.newProcess(), { at: world.env.time })
    await say()
    await drained()
    const before = (await state()).journal
    const fresh = stale()
    await assert.rejects(say(), code('conflict'))
    await assert.rejects(
      act((deps) => rotate(deps, { kind: 'emergency', ref: shown(), at: world.env.time, reason: 'a leak' })),
      code('conflict'),
    )
    world.env.time += hourMs
    await retire()
    fresh()
    assert.deepEqual((await state()).journal, before)
    assert.ok(world.accepts(named(two)))
    assert.deepEqual(
      (await retire()).map(({ id, state: phase }) => [id, phase]),
      [['app_a', 'retired']],
    )
    assert.deepEqual(states(), ['DISABLED', 'ENABLED'])
  })

  it('that shows what the journal knows ends nothing that somebody went back to', async () => {
    await open(aliased, { 'keyturn-grace': '1m' })
    await withConsumer()
    await world.run(world.newProcess(), { at: world.env.time })
    await say()
    await drained()
    world.env.time += hourMs
    move(one)
    const fresh = stale()
    await retire()
    fresh()
    assert.ok(world.accepts(named(one)))
    assert.deepEqual(states(), ['ENABLED', 'ENABLED'])
  })

  it('in the middle of a retirement loses no entry', async () => {
    await open(aliased, { 'keyturn-grace': '1m' })
    await withConsumer()
    await world.run(world.newProcess(), { at: world.env.time })
    await say()
    await drained()
    world.env.time += hourMs
    const { fault } = double()
    let reads: 'fresh' | 'old' | 'over' = 'fresh'
    double().fault = (call, n) => {
      if (reads === 'fresh' && call.name === 'UpdateSecret' && JSON.stringify(call.request).includes('armed')) reads = 'old'
      if (reads !== 'old' || call.name !== 'GetSecret' || call.staging) return fault(call, n)
      reads = 'over'
      return { staleWrites: 2 } // ours that changes nothing, and that of the alias
    }
    const entries = await retire()
    double().fault = fault
    assert.equal(reads, 'over')
    assert.deepEqual([entries[0]?.id, entries[0]?.state, ...states()], ['app_a', 'retired', 'DISABLED', 'ENABLED'])
  })

  it('ends no version that somebody has given an alias since', async () => {
    await openRotated(latest)
    for (const versionAliases of [{ current: 2 }, { current: 2, pinned: 1 }])
      double().do('UpdateSecret', { secret: { name: world.ref.key, versionAliases }, updateMask: { paths: ['version_aliases'] } })
    const fresh = stale()
    await assert.rejects(
      act(() => world.store.dispose(world.ref, one)),
      (cause) => world.store.classify(cause) === 'conflict',
    )
    assert.deepEqual(states(), ['ENABLED', 'ENABLED'])
    fresh()
    await act(() => world.store.dispose(world.ref, one))
    assert.deepEqual(states(), ['ENABLED', 'ENABLED'])
  })

  it('closes no rotation: nobody has moved the alias', async () => {
    await openRotated()
    let isOld = false
    const { fault } = double()
    double().fault = (call, n) => {
      if (call.name === 'UpdateSecret' && !call.staging && !isOld) {
        isOld = true
        double().do('UpdateSecret', { secret: { name: world.ref.key, labels: { team: 'theirs' } }, updateMask: { paths: ['labels'] } })
        return fault(call, n)
      }
      return fault(call, n) ?? (isOld && call.name === 'GetSecret' && !call.staging ? { staleWrites: 3 } : undefined)
    }
    await assert.rejects(world.run(world.newProcess(), { at: world.env.time }), code('conflict'))
    double().fault = fault
    assert.equal((await state()).journal?.rotation?.intent, true)
    world.env.time += laterMs
    assert.equal((await world.run(world.newProcess(), { at: world.env.time })).version, three)
  })

  it('costs a command that only looks nothing, and a clean announcement neither', async () => {
    await openRotated()
    double().calls.length = 0
    move(one)
    const { pointer, current } = await state()
    assert.deepEqual([pointer, current?.id], ['unconfirmed', '1'])
    assert.deepEqual(
      double().calls.filter(({ name, staging }) => name === 'UpdateSecret' && !staging),
      [],
    )
    move(two)
    assert.equal((await state()).pointer, 'noted')
    await say()
    assert.deepEqual(
      double().calls.filter(({ name, staging }) => name === 'UpdateSecret' && !staging),
      [],
    )
  })
})

describe('an alias that somebody moved back', () => {
  for (const kind of ['rotate', 'emergency', 'rollback', 'put', 'resume'] as const) {
    it(`stops no ${kind}`, async () => {
      await openRotated()
      move(one)
      await say()
      world.env.time += 2 * hourMs
      const value = kind === 'put' ? new SecretText(world.firstValue) : undefined
      const result = await act((deps) => rotate(deps, { kind, ref: shown(), at: world.env.time, reason: 'asked' }, value))
      assert.equal(result.outcome, kind === 'resume' ? 'unchanged' : 'published')
      assert.ok(world.accepts(await world.currentText()))
    })
  }

  it('is rotated a second time from the same version', async () => {
    await openRotated()
    const tokens = new Set<string | undefined>()
    for (let turn = 0; turn < 3; turn++) {
      move(one)
      await say()
      world.env.time += 2 * hourMs
      const { outcome, token } = await world.run(world.newProcess(), { at: world.env.time })
      assert.equal(outcome, 'published')
      tokens.add(token)
      await say()
      world.env.time += 2 * hourMs
    }
    assert.equal(tokens.size, 3)
  })

  it('gives what left its whole grace, and the change one id and sequence', async () => {
    await open(aliased, { 'keyturn-grace': '24h' })
    await withConsumer()
    await world.run(world.newProcess(), { at: world.env.time })
    await say()
    world.env.time += 240 * hourMs
    move(one)
    const before = await state()
    const change = before.current && changeOf(before, before.current)
    const movedAt = world.env.time
    const { change: told } = await say()
    const noted = await state()
    assert.deepEqual([told?.id, told?.sequence], [change?.id, change?.sequence])
    assert.deepEqual(noted.current && [changeOf(noted, noted.current).id, changeOf(noted, noted.current).sequence], [
      change?.id,
      change?.sequence,
    ])
    const entry = noted.journal?.retiring.find(({ version }) => version === two)
    assert.ok(entry !== undefined && entry.since >= movedAt && entry.notBefore >= movedAt + 24 * hourMs)
    await drained()
    world.env.time += hourMs
    await retire()
    assert.deepEqual(states(), ['ENABLED', 'ENABLED'])
    world.env.time += 24 * hourMs
    await retire()
    assert.deepEqual(states(), ['ENABLED', 'DISABLED'])
  })

  it('gives what left its whole grace the second time, too', async () => {
    await openRotated()
    let left = two
    for (let turn = 0; turn < 2; turn++) {
      world.env.time += 240 * hourMs
      move(one)
      const movedAt = world.env.time
      await say()
      const entry = (await state()).journal?.retiring.find(({ version }) => version === left)
      assert.ok(entry !== undefined && entry.since >= movedAt, `${left} left`)
      world.env.time += 2 * hourMs
      left = (await world.run(world.newProcess(), { at: world.env.time })).version ?? assert.fail()
      await say()
    }
  })

  it('gives what left its grace where an emergency comes before the announcement', async () => {
    await openRotated()
    world.env.time += 240 * hourMs
    move(one)
    await act((deps) => rotate(deps, { kind: 'emergency', ref: shown(), at: world.env.time, reason: 'a leak' }))
    const entry = (await state()).journal?.retiring.find(({ version }) => version === two)
    assert.ok(entry !== undefined && entry.notBefore > world.env.time)
  })

  it('holds a rotation for grace: the account that left would be used again', async () => {
    await openRotated()
    world.env.time += 240 * hourMs
    move(one)
    await assert.rejects(world.run(world.newProcess(), { at: world.env.time }), code('held'))
  })

  it('to a version that the target refuses by now tells nobody', async () => {
    await openRotated()
    publishForeign(double(), world.ref, changedByHand(await world.currentText()))
    assert.equal((await say()).change?.version, three)
    world.env.time += laterMs * 8
    move(two)
    await assert.rejects(say(), code('stuck'))
    assert.deepEqual([(await state()).journal?.announced, (await state()).journal?.code], [three, 'stuck'])
  })

  it('is not needed to go back: where consumers read the newest version, what was ours is proven by a login, too', async () => {
    await openRotated(latest)
    addForeign(double(), world.ref, changedByHand(await world.currentText()))
    await say()
    world.env.time += laterMs * 8
    double().do('DisableSecretVersion', { name: `${world.ref.key}/versions/3` })
    await assert.rejects(say(), code('stuck'))
  })
})

describe('a version that no alias ever named', () => {
  /** Version 2 is somebody's, for an account of its own, and no alias names it. Version 3 is ours. */
  const openWithStray = async () => {
    await open()
    addForeign(double(), world.ref, new SecretText(world.firstValue.replace('app_a', 'app_z')))
    world.target.accounts.set('app_z', JSON.parse(world.firstValue).password)
  }

  it('is not previous, and gets no retiring entry', async () => {
    await openWithStray()
    await withConsumer()
    await world.run(world.newProcess(), { at: world.env.time })
    await say()
    await drained()
    const { previous, journal } = await state()
    assert.deepEqual([previous?.id, journal?.retiring.map(({ id }) => id)], [one, ['app_a']])
    world.env.time += 2 * hourMs
    await retire()
    assert.deepEqual(states(), ['DISABLED', 'ENABLED', 'ENABLED'])
    assert.ok(world.accepts(named(two)))
  })

  it('is not what a rollback publishes', async () => {
    await openWithStray()
    await world.run(world.newProcess(), { at: world.env.time })
    await say()
    await act((deps) => rotate(deps, { kind: 'rollback', ref: shown(), at: world.env.time, reason: 'asked' }))
    assert.equal(JSON.parse(await world.currentText()).username, 'app_a')
  })

  it('is not previous where the alias previous is gone', async () => {
    await openWithStray()
    await world.run(world.newProcess(), { at: world.env.time })
    const versionAliases = { current: 3 }
    double().do('UpdateSecret', { secret: { name: world.ref.key, versionAliases }, updateMask: { paths: ['version_aliases'] } })
    assert.equal((await state()).previous?.id, one)
  })
})

describe('the policy aliases=only', () => {
  const only = { 'keyturn-aliases': 'only' }
  const refuses = (cause: { code?: string; field?: string; next?: string }) => {
    assert.deepEqual([cause.code, cause.field], ['bad_config', 'keyturn-aliases'])
    assert.match(cause.next ?? '', /gcloud secrets update db .*--update-version-aliases=current=3/)
    return true
  }
  const openBehind = async () => {
    await openRotated(latest)
    addForeign(double(), world.ref, changedByHand(await world.currentText()))
  }

  it('is refused where the alias does not name what is current', async () => {
    await openBehind()
    await assert.rejects(
      act((deps) => changePolicy(deps, world.store, shown(), only)),
      refuses,
    )
    assert.equal((await state()).policy['keyturn-aliases'], undefined)
    move(three)
    await act((deps) => changePolicy(deps, world.store, shown(), only))
    assert.deepEqual([(await state()).current?.id, (await state()).policy['keyturn-aliases']], [three, 'only'])
  })

  it('is refused by adopt, too, which notes nothing then', async () => {
    await openBehind()
    await act(() => world.store.release(world.ref))
    await assert.rejects(
      act((deps) => adopt(deps, world.store, shown(), { ...asked, ...only })),
      refuses,
    )
    assert.deepEqual([(await state()).journal, (await state()).policy], [null, {}])
  })
})

describe('an alias of a version that is destroyed', () => {
  it('names the alias and recover as the next step', async () => {
    await openRotated()
    double().do('DestroySecretVersion', { name: `${world.ref.key}/versions/2` })
    await assert.rejects(
      world.run(world.newProcess(), { at: world.env.time }),
      (cause: { code?: string; next?: string; message: string }) => {
        assert.equal(cause.code, 'not_found')
        assert.match(cause.message, /version 2, which the alias/)
        assert.match(cause.next ?? '', /the alias current .*keyturn recover gcp:/)
        return true
      },
    )
  })
})
