import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import type { Step, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { refusalsMax } from '../../shared/lifecycle/rotation/refused-value.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import type { MemoryStore } from '../../shared/stores/memory.js'
import { settingFor } from '../crash/settings.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

const token = 'a-token-of-a-person-0123456789abcdef' as Token
const open = async (profile: ProfileName, rotator: MemoryClass, policy = {}): Promise<World> =>
  World.open(rotator, settingFor(profile, rotator).openStore, `rotate-${profile}-${rotator}`, policy)
const engineProfiles = (Object.keys(profiles) as ProfileName[]).filter((name) => !profiles[name].serviceDriven)
const publishedCount = (world: World): Promise<number> => world.published()
const codeOf = (outcome: PromiseSettledResult<{ outcome: string }>): string =>
  outcome.status === 'fulfilled' ? outcome.value.outcome : String((outcome.reason as { code?: string }).code)
const withPassword = (text: string, password: string): SecretText =>
  new SecretText(JSON.stringify({ ...(JSON.parse(text) as object), password }))

describe('many at once', () => {
  for (const profile of engineProfiles) {
    for (const rotator of ['a', 'b'] as const) {
      for (const count of [2, 8]) {
        it(`${count} rotators of ${profile} × ${rotator}: one publishes, the others step back`, async () => {
          const world = await open(profile, rotator)
          const at = world.env.time
          const all = await Promise.allSettled(Array.from({ length: count }, () => world.run(world.newProcess(), { at })))
          const codes = all.map(codeOf)
          assert.equal(codes.filter((code) => code === 'published').length, 1, codes.join(', '))
          assert.ok(
            codes.every((code) => ['published', 'locked', 'unchanged', 'conflict', 'held'].includes(code)),
            codes.join(', '),
          )
          assert.equal(await publishedCount(world), 1)
          assert.ok(world.accepts(await world.currentText()))
        })
      }
    }
  }
})

describe('stuck', () => {
  it('after three refused values: durable, current works, no login until somebody acted', async () => {
    for (const rotator of ['a', 'b'] as const) {
      const world = await open('file', rotator)
      world.target.refuseNext = refusalsMax
      await assert.rejects(world.run(world.newProcess()), { code: 'stuck' })
      assert.ok(world.accepts(await world.currentText()))
      const before = world.target.logins.length
      for (const kind of ['rotate', 'resume', 'emergency'] as const)
        await assert.rejects(world.run(world.newProcess(), { kind }), { code: 'stuck' })
      assert.equal(world.target.logins.length, before)
    }
  })

  it('two refused values are replaced, the third is taken', async () => {
    const world = await open('vault', 'a')
    world.target.refuseNext = refusalsMax - 1
    assert.equal((await world.run(world.newProcess())).outcome, 'published')
    assert.ok(world.accepts(await world.currentText()))
  })

  it('when somebody changed the password at the target: each credential is tried once, then never again', async () => {
    const world = await open('k8s', 'a')
    world.target.accounts.set('app_a', 'set by hand')
    await assert.rejects(world.run(world.newProcess()), { code: 'stuck' })
    assert.deepEqual(
      world.target.logins.map(({ accepted }) => accepted),
      [false, false],
    )
    await assert.rejects(world.run(world.newProcess()), { code: 'stuck' })
    assert.equal(world.target.logins.length, 2)
  })

  it('a value that the target refuses spends the token of a store that keeps one value for it (aws)', async () => {
    const world = await open('aws', 'a')
    world.target.refuseNext = 1
    const first = (await (world.store as MemoryStore).startNative(world.ref)) as Token
    await assert.rejects(world.runService(world.newProcess(), first), { code: 'token_spent' })
    const second = (await (world.store as MemoryStore).startNative(world.ref)) as Token
    assert.notEqual(second, first)
    await world.runService(world.newProcess(), second)
    assert.ok(world.accepts(await world.currentText()))
  })
})

describe('step by step', () => {
  it('each step in a process of its own, each repeated, gives one publication', async () => {
    const world = await open('gcp', 'b')
    for (const step of ['create', 'set', 'test', 'finish'] as const satisfies readonly Step[]) {
      const first = await world.run(world.newProcess(), { token, step })
      assert.deepEqual([first.outcome, first.steps.includes(step)], [step === 'finish' ? 'published' : 'step', true])
      await world.run(world.newProcess(), { token, step })
    }
    assert.equal(await publishedCount(world), 1)
  })

  it('finish alone tests again: nobody can say that this value was tested', async () => {
    const world = await open('file', 'a')
    await world.run(world.newProcess(), { token, step: 'create' })
    await world.run(world.newProcess(), { token, step: 'set' })
    const result = await world.run(world.newProcess(), { token, step: 'finish' })
    assert.deepEqual(result.steps, ['test', 'finish'])
  })

  it('finish before set publishes nothing', async () => {
    const world = await open('file', 'b')
    await world.run(world.newProcess(), { token, step: 'create' })
    const before = await world.currentText()
    await assert.rejects(world.run(world.newProcess(), { token, step: 'finish' }))
    assert.equal(await world.currentText(), before)
  })

  it('a value that the target refuses is said, and create makes another one', async () => {
    const world = await open('file', 'a')
    world.target.refuseNext = 1
    await world.run(world.newProcess(), { token, step: 'create' })
    await assert.rejects(world.run(world.newProcess(), { token, step: 'set' }), { code: 'rejected' })
    for (const step of ['create', 'set', 'test', 'finish'] as const) await world.run(world.newProcess(), { token, step })
    assert.ok(world.accepts(await world.currentText()))
  })

  it('a later step before create is refused', async () => {
    const world = await open('file', 'a')
    for (const step of ['set', 'test', 'finish'] as const)
      await assert.rejects(world.run(world.newProcess(), { token, step }), { code: 'bad_event', field: 'step' })
  })
})

describe('grace, emergency, pause', () => {
  it('a pair waits for its grace; an emergency does not, and its reason is recorded', async () => {
    const world = await open('file', 'b', { 'keyturn-grace': '2h' })
    await world.run(world.newProcess())
    world.env.time += 3_600_000
    await assert.rejects(world.run(world.newProcess()), { code: 'held' })
    await world.run(world.newProcess(), { kind: 'emergency', reason: 'laptop stolen' })
    assert.equal(await publishedCount(world), 2)
    assert.ok(world.audit.some(({ reason, effect, phase }) => reason === 'laptop stolen' && effect === 'store.claim' && phase === 'intent'))
    world.env.time += 2 * 3_600_000
    assert.equal((await world.run(world.newProcess())).outcome, 'published')
  })

  it('paused and outside the window are held, an open rotation still goes on', async () => {
    const world = await open('file', 'a')
    await world.run(world.newProcess(), { token, step: 'create' })
    await world.store.setPolicy(world.ref, { 'keyturn-mode': 'paused', 'keyturn-window': 'sun 02:00-03:00' })
    assert.equal((await world.run(world.newProcess(), { kind: 'resume' })).outcome, 'published')
    world.env.time += 1000
    await assert.rejects(world.run(world.newProcess()), { code: 'held' })
    await world.store.setPolicy(world.ref, { 'keyturn-mode': null })
    await assert.rejects(world.run(world.newProcess()), { code: 'held' })
  })

  it('consumers that are named but configured nowhere are an error, not a silent "all seen"', async () => {
    const world = await open('file', 'a', { 'keyturn-consumers': 'cluster-one' })
    await assert.rejects(world.run(world.newProcess()), { code: 'bad_config', field: 'keyturn-consumers' })
  })
})

describe('put', () => {
  it('keeps, tests and publishes a value that was set by hand, and sets nothing', async () => {
    const world = await open('vault', 'a')
    world.target.accounts.set('app_a', 'set by hand at the target')
    const result = await world.run(
      world.newProcess(),
      { kind: 'put', token },
      withPassword(await world.currentText(), 'set by hand at the target'),
    )
    assert.deepEqual(result.steps, ['create', 'test', 'finish'])
    assert.ok(world.accepts(await world.currentText()))
  })

  it('never publishes a value that the target refuses', async () => {
    const world = await open('file', 'a')
    const before = await world.currentText()
    await assert.rejects(world.run(world.newProcess(), { kind: 'put', token }, withPassword(before, 'a wrong password')), {
      code: 'target_auth',
    })
    assert.equal(world.target.logins.filter(({ accepted }) => !accepted).length, 1)
    assert.equal(await world.currentText(), before)
    const { pending, journal } = await world.store.describe(world.ref)
    assert.deepEqual([pending, journal?.code], [undefined, undefined])
    world.env.time += 1000
    world.target.accounts.set('app_a', 'set by hand')
    const other = 'another-token-0123456789-0123456789' as Token
    assert.equal(
      (await world.run(world.newProcess(), { kind: 'put', token: other }, withPassword(before, 'set by hand'))).outcome,
      'published',
    )
    assert.equal(await publishedCount(world), 1)
  })

  it('a value that cannot be read, or not be tested, stands in nobody’s way while current works', async () => {
    const world = await open('vault', 'a')
    const before = await world.currentText()
    for (const text of ['no JSON at all', '{"target":"x"}']) {
      await assert.rejects(world.run(world.newProcess(), { kind: 'put', token }, new SecretText(text)), { code: 'bad_value' })
    }
    const login = world.target.login.bind(world.target)
    world.target.login = async (user, secret) => {
      if (secret === 'untestable') throw new RotationError('target_unreachable', 'No way there.', { next: 'Try again.' })
      return login(user, secret)
    }
    await assert.rejects(world.run(world.newProcess(), { kind: 'put', token }, withPassword(before, 'untestable')), {
      code: 'target_unreachable',
    })
    assert.equal((await world.store.describe(world.ref)).pending, undefined)
    world.env.time += 1000
    assert.equal((await world.run(world.newProcess())).outcome, 'published')
  })

  it('interrupted before its value was kept, it stands in nobody’s way', async () => {
    const world = await open('gcp', 'a')
    const value = withPassword(await world.currentText(), 'never kept')
    await assert.rejects(world.run(world.newProcess([{ at: 0, mode: 'after' }]), { kind: 'put', token }, value))
    world.env.time += laterMs
    assert.equal((await world.run(world.newProcess())).outcome, 'published')
    assert.ok(world.accepts(await world.currentText()))
  })
})

describe('a notice of the platform', () => {
  for (const profile of ['gcp', 'azure'] as const) {
    /** A secret whose rotation died after it had added its version, and before it could note that; and when it began. */
    async function openDead(): Promise<{ world: World; at: number }> {
      const dry = await open(profile, 'a')
      const process = dry.newProcess()
      await dry.run(process)
      const publish = process.effects.indexOf('publish')
      assert.ok(publish > 0)
      const world = await open(profile, 'a')
      const at = world.env.time
      await assert.rejects(world.run(world.newProcess([{ at: publish, mode: 'after' }])))
      world.env.time += 20 * 60_000 // its lease has ended
      return { world, at }
    }

    it(`that came after the version was added: the rotation is finished, and another one follows (${profile})`, async () => {
      const { world } = await openDead()
      const { version } = await world.run(world.newProcess(), { kind: 'rotate', at: world.env.time, since: true })
      assert.equal(await world.published(), 2)
      assert.equal(version, (await world.store.describe(world.ref)).current?.id)
      assert.ok(world.accepts(await world.currentText()))
    })

    it(`that came before: the rotation that it finishes answers it (${profile})`, async () => {
      const { world, at } = await openDead()
      await world.run(world.newProcess(), { kind: 'rotate', at, since: true })
      assert.equal(await world.published(), 1)
      assert.ok(world.accepts(await world.currentText()))
    })
  }
})
