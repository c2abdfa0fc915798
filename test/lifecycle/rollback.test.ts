import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { Consumer, Notifier } from '../../shared/core/ports/notifier.js'
import type { ConsumerPhase, Policy, RotationRequest, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** Back to the previous credential: when it is allowed, what it costs, and what is left when it dies. */
const hourMs = 3_600_000
const engines = (Object.keys(profiles) as ProfileName[]).filter((name) => !profiles[name].serviceDriven)
const tokenOf = (name: string): Token => `token-of-${name}-0123456789-0123456789` as Token

let opened = 0
const open = (rotator: MemoryClass, profile: ProfileName = 'k8s', policy: Policy = {}): Promise<World> =>
  World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `rollback-${++opened}`, policy)
const run = (world: World, request: Partial<RotationRequest> = {}, given?: SecretText) =>
  world.run(world.newProcess(), { reason: 'test', ...request }, given)
const back = (world: World, more: Partial<RotationRequest> = {}) => run(world, { kind: 'rollback', token: tokenOf('back'), ...more })
const act = <T>(world: World, what: (deps: Deps) => Promise<T>): Promise<T> => world.act(world.newProcess(), what)
const tellAll = (world: World) => act(world, (deps) => announce(deps, world.ref.shown))
const retire = (world: World) => act(world, (deps) => retirePass(deps, world.ref.shown))
const sweepOnce = (world: World) =>
  act(world, async (deps) => {
    const all = []
    for await (const one of sweep(deps)) all.push(one)
    return all
  })
const isCode = (code: string) => (cause: unknown) => codeOf(cause) === code
async function tried<T>(what: Promise<T>): Promise<T | string> {
  try {
    return await what
  } catch (cause) {
    if (cause instanceof RotationError) return cause.code
    throw cause
  }
}
const refusals = (world: World): number => world.target.logins.filter(({ accepted }) => !accepted).length
const userOf = (text: string): string => (JSON.parse(text) as { username: string }).username

function follow(world: World): { phase: ConsumerPhase } {
  const standing: { phase: ConsumerPhase } = { phase: 'requested' }
  const consumer: Consumer = { key: 'one', kind: 'memory', required: true, settings: new SecretText('{}') }
  world.configuration = { ...noConfiguration, consumers: { one: consumer } }
  const notifier: Notifier = {
    kind: 'memory',
    preflight: async () => ({ verdict: 'ok' }),
    advance: async () => ({ ...standing, evidence: standing.phase }),
    classify: () => 'internal',
  }
  world.loadNotifier = async () => notifier
  return standing
}

/** Rotated once; grace is not over. */
async function rotated(rotator: MemoryClass, profile: ProfileName = 'k8s', policy: Policy = {}): Promise<World> {
  const world = await open(rotator, profile, policy)
  if (policy['keyturn-consumers'] !== undefined) follow(world)
  await tellAll(world)
  await run(world, { token: tokenOf('first') })
  await tellAll(world)
  world.env.time += 60_000
  return world
}

/** The target's policy knows this password: it was used before. */
function refuse(world: World, password: string): void {
  const set = world.target.setPassword.bind(world.target)
  world.target.setPassword = async (user, next, inTime) => {
    if (next === password) world.target.refuseNext = 1
    return set(user, next, inTime)
  }
}

for (const profile of engines) {
  for (const rotator of ['a', 'b', 'c', 'f'] as const) {
    describe(`a rollback (${profile}, class ${rotator})`, () => {
      it('within grace publishes the previous credential, without a refused login; said again it does nothing', async () => {
        const world = await rotated(rotator, profile)
        assert.equal((await back(world)).outcome, 'published')
        assert.equal(JSON.parse(await world.currentText()).password, JSON.parse(world.firstValue).password)
        assert.ok(world.accepts(await world.currentText()))
        assert.equal((await back(world)).outcome, 'unchanged')
        assert.equal(refusals(world), 0)
      })
      it('killed or cut anywhere and gone on with: current always logs in, and it is announced', async () => {
        const rehearsal = await rotated(rotator, profile)
        const dry = rehearsal.newProcess()
        await rehearsal.run(dry, { kind: 'rollback', token: tokenOf('back'), reason: 'test' })
        for (const [at, name] of dry.effects.entries()) {
          for (const mode of ['before', 'after', 'lost', 'unsent'] as const) {
            const world = await rotated(rotator, profile)
            const process = world.newProcess([{ at, mode }])
            await world.run(process, { kind: 'rollback', token: tokenOf('back'), reason: 'test' }).catch(() => undefined)
            world.env.time += laterMs
            await tried(run(world, { kind: 'resume' }))
            await back(world)
            await sweepOnce(world)
            const { current, journal, pending, loose } = await world.store.describe(world.ref)
            const title = `${mode} at ${name}`
            assert.ok(world.accepts(await world.currentText()), `${title}: current is refused`)
            assert.equal(JSON.parse(await world.currentText()).password, JSON.parse(world.firstValue).password, title)
            assert.deepEqual([journal?.announced, pending, loose], [current?.id, undefined, []], title)
          }
        }
      })
    })
  }
}

describe('a rollback is refused', () => {
  it('once the previous credential is retired', async () => {
    const world = await rotated('b', 'k8s', { 'keyturn-consumers': 'one' })
    follow(world).phase = 'drained'
    world.env.time += 2 * hourMs
    await retire(world)
    await assert.rejects(back(world), isCode('bad_event'))
    assert.equal(refusals(world), 0)
  })
  it('while it is armed, without a login at an account that is being locked', async () => {
    const world = await rotated('b', 'k8s', { 'keyturn-consumers': 'one' })
    follow(world).phase = 'drained'
    world.env.time += 2 * hourMs
    await assert.rejects(world.act(world.newProcess([{ at: 1, mode: 'after' }]), (deps) => retirePass(deps, world.ref.shown)))
    assert.equal((await world.store.describe(world.ref)).journal?.retiring[0]?.state, 'armed')
    assert.equal(world.target.accounts.get('app_a'), '', 'rehearsed at the wrong effect')
    await assert.rejects(back(world), isCode('held'))
    assert.equal(refusals(world), 0)
  })
  it('where the target does not accept it any more, with one login, and nothing is claimed', async () => {
    const world = await rotated('b')
    world.target.accounts.set('app_a', 'changed by hand')
    const { rev } = await world.store.describe(world.ref)
    await assert.rejects(back(world), isCode('bad_event'))
    assert.equal(refusals(world), 1)
    assert.equal((await world.store.describe(world.ref)).rev, rev)
  })
  it('where nothing was rotated yet', async () => {
    await assert.rejects(back(await open('b')), isCode('bad_event'))
  })
  it('where the target cannot be reached: nobody knows, so nothing is claimed', async () => {
    const world = await rotated('b')
    const { rev } = await world.store.describe(world.ref)
    world.target.effects = async () => {
      throw new RotationError('target_unreachable', 'No route.', { next: 'Look.' })
    }
    await assert.rejects(back(world), isCode('target_unreachable'))
    assert.equal((await world.store.describe(world.ref)).rev, rev)
  })
  it('where the secret is stuck, before any login (a service drives)', async () => {
    const world = await open('a', 'aws')
    const token = () => world.startNative()
    await world.runService(world.newProcess(), await token())
    await tellAll(world)
    await world.store.note(await world.store.describe(world.ref), { code: 'stuck' })
    const before = world.target.logins.length
    assert.equal(await tried(back(world)), 'stuck')
    assert.equal(world.target.logins.length, before)
  })
})

describe('a rollback whose value the target refuses (class a)', () => {
  const refused = async (): Promise<World> => {
    const world = await rotated('a')
    refuse(world, JSON.parse(world.firstValue).password)
    assert.equal(await tried(back(world)), 'target_auth')
    assert.ok(world.accepts(await world.currentText()))
    return world
  }
  it('was offered once: a sweep does not offer it again', async () => {
    const world = await refused()
    world.env.time += laterMs
    const before = refusals(world)
    for (let pass = 0; pass < 5; pass++) {
      await sweepOnce(world)
      world.env.time += laterMs
    }
    assert.equal(refusals(world), before, 'refused logins in every sweep: the account will be locked')
  })
  it('is over: the next rotation makes a new value', async () => {
    const world = await refused()
    world.env.time += 2 * hourMs
    assert.equal(await tried(run(world).then(({ outcome }) => outcome)), 'published')
    assert.ok(world.accepts(await world.currentText()))
  })
  it('can be put: what a person gives takes its place', async () => {
    const world = await refused()
    world.env.time += 2 * hourMs
    const value = JSON.stringify({ ...JSON.parse(world.firstValue), password: 'set-by-a-person-0123456789' })
    world.target.accounts.set('app_a', 'set-by-a-person-0123456789')
    const end = await tried(run(world, { kind: 'put' }, new SecretText(value)))
    assert.ok(world.accepts(await world.currentText()), `the value of a person is not current; its put ended ${JSON.stringify(end)}`)
  })
})

describe('after a rollback', () => {
  it('the credential that was rolled back is the one that is retired, and only on evidence', async () => {
    const world = await rotated('b', 'k8s', { 'keyturn-consumers': 'one' })
    const consumer = follow(world)
    await back(world)
    await tellAll(world)
    const { journal } = await world.store.describe(world.ref)
    assert.deepEqual(
      journal?.retiring.map(({ id, state }) => `${id} ${state}`),
      ['app_b waiting'],
    )
    world.env.time += 2 * hourMs
    await retire(world)
    assert.notEqual(world.target.accounts.get('app_b'), '')
    consumer.phase = 'drained'
    await retire(world)
    assert.equal(world.target.accounts.get('app_b'), '')
    assert.ok(world.accepts(await world.currentText()))
  })
  it('twice back is forward again, and grace counts from the last time', async () => {
    const world = await rotated('b')
    const second = userOf(await world.currentText())
    await back(world)
    world.env.time += 1000
    await assert.rejects(back(world, { token: tokenOf('again') }), isCode('bad_event')) // somebody repeats the command
    await back(world, { token: tokenOf('again'), again: true })
    assert.equal(userOf(await world.currentText()), second)
    await tellAll(world)
    const { journal, publishedAt } = await world.store.describe(world.ref)
    assert.deepEqual(
      journal?.retiring.map(({ id, since }) => [id, since]),
      [['app_a', publishedAt]],
    )
  })
  it('from an emergency: keys that were replaced meanwhile keep their entries', async () => {
    const world = await rotated('c')
    const ids = [userOf(world.firstValue), userOf(await world.currentText())]
    await run(world, { kind: 'emergency' })
    ids.push(userOf(await world.currentText()))
    await back(world)
    await tellAll(world)
    const current = userOf(await world.currentText())
    const { journal } = await world.store.describe(world.ref)
    assert.deepEqual(journal?.retiring.map(({ id }) => id as string).sort(), ids.filter((id) => id !== current).sort())
  })
})

describe('a rotation that died right after what consumers read had changed', () => {
  const all = ['claim', 'stage', 'stage.value', 'stage.name', 'target.set', 'target.login', 'publish.intent', 'publish', 'publish.journal']
  /** Killed after `last`; then announced and retired, with a consumer that follows at once. */
  const died = async (profile: ProfileName, last: string): Promise<World> => {
    const world = await open('b', profile, { 'keyturn-consumers': 'one' })
    follow(world).phase = 'drained'
    await tellAll(world)
    const rehearsal = await open('b', profile)
    const dry = rehearsal.newProcess()
    await rehearsal.run(dry)
    assert.ok(dry.effects.every((name) => all.includes(name) || ['publish.alias', 'lease.renew', 'publish.drop'].includes(name)))
    const process = world.newProcess([{ at: dry.effects.indexOf(last), mode: 'after' }])
    await assert.rejects(world.run(process))
    assert.equal(process.effects.at(-1), last)
    world.env.time += 2 * hourMs
    await tellAll(world)
    await retire(world)
    return world
  }
  for (const profile of ['gcp', 'azure', 'vault', 'k8s'] as const) {
    it(`before its bookkeeping: retiring what it replaced does not end all rotations (${profile})`, async () => {
      const world = await died(profile, 'publish')
      world.env.time += 2 * hourMs
      assert.equal(await tried(run(world).then(({ outcome }) => outcome)), 'published')
    })
    it(`before its staged copy was dropped: the copy ends with its version, and the account keeps its entries (${profile})`, async () => {
      const world = await died(profile, 'publish.journal')
      await run(world) // from app_b to app_a
      await tellAll(world)
      world.env.time += 2 * hourMs
      await retire(world) // ends app_b and its version
      assert.deepEqual((await world.store.describe(world.ref)).loose, [], 'a copy of the retired value is still kept')
      await run(world)
      await tellAll(world)
      world.env.time += 2 * hourMs
      await retire(world)
      await run(world) // to app_a, and app_b has left again
      const consumer = follow(world)
      await tellAll(world)
      await retire(world)
      const { journal } = await world.store.describe(world.ref)
      assert.deepEqual([consumer.phase, journal?.retiring.map(({ id }) => id)], ['requested', ['app_b']])
    })
  }
})
