import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { RotationRequest } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { decide } from '../../shared/lifecycle/decide/decide.js'
import { act } from '../../shared/lifecycle/fleet/act.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { recover, untriedAction } from '../../shared/lifecycle/rotation/recover.js'
import { adopt, shownLook, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { settingFor } from '../crash/settings.js'
import { byAnswer } from '../harness/by-answer.js'
import { laterMs, World } from '../harness/world.js'

let opened = 0
async function open(profile: string): Promise<World> {
  const world = await World.open('a', settingFor(profile, 'a').openStore, `by-answer-${profile}-${++opened}`)
  world.tryNothing()
  await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  return world
}
const run = (world: World, request: Partial<RotationRequest> = {}, value?: SecretText) => {
  world.env.time += laterMs
  return world.run(world.newProcess(), request, value)
}
const stateOf = (world: World) => world.store.describe(world.ref)
const valueWith = (world: World, password: string) => new SecretText(JSON.stringify({ ...JSON.parse(world.firstValue), password }))
const accountOf = (world: World) => world.target.accounts.get('app_a')
const passwordOf = async (world: World) => (JSON.parse(await world.currentText()) as { password: string }).password
const fails = (code: string, text: RegExp) => (cause: unknown) =>
  codeOf(cause) === code && text.test(`${(cause as RotationError).message} ${(cause as RotationError).next}`)

for (const profile of ['gcp', 'file', 'vault']) {
  describe(`a secret whose values no login can try (${profile})`, () => {
    it('publishes what the target says it has set; log and status say by what it is proven', async () => {
      const world = await open(profile)
      const { outcome, steps } = await run(world)
      assert.deepEqual([outcome, steps], ['published', ['create', 'set', 'test', 'finish']])
      assert.equal(accountOf(world), await passwordOf(world))
      assert.deepEqual(world.target.logins, [])
      assert.ok(world.env.lines.some(({ code, fields }) => code === 'proven_by_answer' && fields.ref === world.ref.shown))
      assert.equal((await statusOf(world.deps('status'), world.ref.shown)).proof, 'answer')
    })

    it('is stuck once the target refuses a value: nothing is given up, and a person gives the next one', async () => {
      const world = await open(profile)
      world.target.refuseNext = 1
      await assert.rejects(run(world), fails('stuck', /refuses this password by its policy.*No login can tell.*keyturn put/))
      const { pending, journal } = await stateOf(world)
      assert.ok(pending?.hasValue && journal?.code === 'stuck')
      for (const kind of ['rotate', 'rollback', 'resume'] as const) {
        const refusal = await run(world, { kind }).catch((cause: unknown) => cause as RotationError)
        assert.ok(fails('stuck', /no login can tell which value the target has.*keyturn put .*: it sets the value that you give/)(refusal))
        assert.doesNotMatch(`${(refusal as RotationError).message} ${(refusal as RotationError).next}`, /accepted neither|recover|tries/)
      }
      const { next } = await statusOf(world.deps('status'), world.ref.shown)
      assert.ok(next.do === 'refuse' && next.next?.includes(`keyturn put ${world.ref.shown}: it sets`), JSON.stringify(next))
      const found = await recover(world.deps('recover'), world.store, world.ref.shown, true)
      assert.deepEqual([found.proof, found.action.do, found.done], ['answer', 'by hand', false])
      assert.ok(
        found.tried.length > 1 && found.tried.every(({ works, why = '' }) => works === 'unknown' && /no login can try it/.test(why)),
      )
      await run(world, { kind: 'put' }, valueWith(world, 'given-0123456789abcdef'))
      assert.equal(accountOf(world), 'given-0123456789abcdef')
      assert.equal(await passwordOf(world), 'given-0123456789abcdef')
      assert.equal((await stateOf(world)).journal?.code, undefined)
      world.env.time += laterMs * 8
      await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
      await run(world)
      assert.equal(accountOf(world), await passwordOf(world))
      assert.notEqual(accountOf(world), 'given-0123456789abcdef')
    })

    it('sets what a person puts, since nothing else could show that it works', async () => {
      const world = await open(profile)
      await run(world, { kind: 'put' }, valueWith(world, 'put-0123456789abcdef'))
      assert.equal(accountOf(world), 'put-0123456789abcdef')
      assert.equal(await passwordOf(world), 'put-0123456789abcdef')
    })

    it('does not set a value where only its test was asked for', async () => {
      const world = await open(profile)
      await run(world, { step: 'create' })
      await assert.rejects(run(world, { step: 'test' }), fails('bad_event', /No login can test.*--resume/))
      assert.equal(accountOf(world), JSON.parse(world.firstValue).password)
      await run(world, { kind: 'resume' })
      assert.equal(accountOf(world), await passwordOf(world))
    })

    it('goes back to the previous value by setting it', async () => {
      const world = await open(profile)
      await run(world)
      world.env.time += laterMs * 8
      await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
      await run(world, { kind: 'rollback' })
      assert.equal(await world.currentText(), world.firstValue)
      assert.equal(accountOf(world), JSON.parse(world.firstValue).password)
    })

    it('goes back where current cannot be read, and sets what it goes back to', async () => {
      const world = await open(profile)
      if (world.store.writeForeign === undefined) return
      world.target.accounts.set('app_a', 'nobody-knows-0123456789')
      world.store.writeForeign(world.ref, new SecretText('{"engine":"memory-a","a placeholder":true}'))
      await run(world, { kind: 'rollback', reason: 'a placeholder' })
      assert.equal(await world.currentText(), world.firstValue)
      assert.equal(accountOf(world), JSON.parse(world.firstValue).password)
    })

    it('verify, adopt and the daily look ask for the login and not for its password', async () => {
      const world = await open(profile)
      const look = (deps: ReturnType<World['deps']>) => verifyCurrent(deps, world.ref.shown)
      const looked = await world.act(world.newProcess(), look)
      assert.deepEqual([looked.passwordAccepted, looked.logsIn, looked.proof], [null, null, 'answer'])
      assert.match(shownLook(looked), /no password can be tried/)
      const checked = await act(world.deps('check'), { ref: world.ref.shown, action: 'check', at: world.env.time })
      assert.match(checked?.outcome ?? '', /no password can be tried/)
      const gone = () => {
        throw new RotationError('not_found', 'There is no such login.', { next: 'Make it.' })
      }
      const deps = {
        ...world.deps('adopt'),
        loadRotator: async (kind: string) => byAnswer(await loadRotator(kind), world.answers ?? assert.fail(), gone),
      }
      await assert.rejects(adopt(deps, world.store, world.ref.shown, {}), fails('not_found', /no such login/))
    })

    it('adopt does not take away stuck: it has seen nothing that works', async () => {
      const world = await open(profile)
      await world.store.note(await stateOf(world), { code: 'stuck' })
      await adopt(world.deps('adopt'), world.store, world.ref.shown, {})
      assert.equal((await stateOf(world)).journal?.code, 'stuck')
    })

    it('recover of a secret that nothing stopped does nothing', async () => {
      const world = await open(profile)
      const { action, done } = await recover(world.deps('recover'), world.store, world.ref.shown, true)
      assert.deepEqual([action.do, done], ['nothing', false])
    })
  })
}

describe('what only a login could tell', () => {
  it('is not promised where the staging place is gone', () => {
    const state = { policy: {}, publishedAt: 0, loose: [], current: { id: '1', hasValue: true }, placeLost: true } as never
    const facts = { now: 0, slots: 1, graceMs: 0, mints: false, journal: true, consumers: false, rollback: 'reapply' } as const
    const nextOf = (more: object) => {
      const action = decide(state, { kind: 'rotate', ref: 'file:db', at: 0 }, { ...facts, ...more })
      return action.do === 'refuse' ? action.next : undefined
    }
    assert.match(nextOf({}) ?? '', /tries every stored value once/)
    assert.match(nextOf({ byAnswer: true }) ?? '', /--yes makes it again, and sets the current value again/)
  })

  it('is decided by a person where a secret is stuck, and by the rule where what was published is gone', async () => {
    const world = await open('gcp')
    const state = await stateOf(world)
    const journal = { retiring: [], code: 'stuck' } as const
    assert.equal(untriedAction({ ...state, journal }, false).do, 'by hand')
    for (const isMade of [true, false])
      assert.equal(untriedAction({ ...state, ...(isMade ? {} : { placeLost: true as const }) }, isMade).do, 'restore')
    const rotation = { token: 't', kind: 'rotate', base: null, holder: 'h', attempt: 1, leaseUntil: 0, refusals: 0, published: '9' }
    const gone = untriedAction({ ...state, publishedGone: true, journal: { retiring: [], rotation } as never }, false)
    assert.ok(gone.do === 'restore' && gone.version === state.current?.id && /is set again/.test(gone.why))
  })

  it('is told all the same where somebody else wrote what is current, and the log says that nobody proved it', async () => {
    const world = await open('gcp')
    await world.writeByHand()
    const { outcome } = await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    assert.equal(outcome, 'announced')
    assert.ok(world.env.lines.some(({ code }) => code === 'not_proven'))
  })
})

describe('a value that is left of a rotation, where no login can tell what the target has (gcp)', () => {
  /** A rotation that has set its value and died, and then somebody stores another value past us. */
  async function left(stored: (world: World) => Promise<string>): Promise<World> {
    const world = await open('gcp')
    const dry = world.newProcess()
    await world.run(dry)
    const again = await open('gcp')
    const dying = again.newProcess([{ at: dry.effects.indexOf('target.set'), mode: 'after' }])
    await assert.rejects(again.run(dying))
    assert.ok(dying.dead)
    again.store.writeForeign?.(again.ref, new SecretText(await stored(again)))
    return again
  }
  const pendingOf = async (world: World): Promise<string> => {
    const { pending } = await stateOf(world)
    return (await world.store.read(world.ref, pending?.id ?? assert.fail('nothing is pending'))).reveal()
  }

  it('is not given up where somebody else published: stuck, until a person puts', async () => {
    const world = await left(async (one) => valueWith(one, 'typed-by-hand-0123456789').reveal())
    await assert.rejects(run(world, { kind: 'resume' }), fails('stuck', /no login can tell which one the target accepts.*keyturn put/))
    assert.ok((await stateOf(world)).pending?.hasValue ?? (await stateOf(world)).loose.length > 0)
    await run(world, { kind: 'put' }, valueWith(world, 'given-0123456789abcdef'))
    await run(world, { kind: 'resume' })
    const { pending, loose, journal } = await stateOf(world)
    assert.deepEqual([pending?.hasValue ?? false, loose.length, journal?.code], [false, 0, undefined])
    assert.deepEqual([accountOf(world), await passwordOf(world)], ['given-0123456789abcdef', 'given-0123456789abcdef'])
  })

  it('is given up where it is a copy of what is current', async () => {
    const world = await left(pendingOf)
    await run(world, { kind: 'resume' })
    const { pending, loose, journal } = await stateOf(world)
    assert.deepEqual([pending?.hasValue ?? false, loose.length, journal?.code], [false, 0, undefined])
    assert.equal(accountOf(world), await passwordOf(world))
  })

  it('nobody is told where somebody wrote while a rotation published: stuck, until a person puts', async () => {
    const first = await open('gcp')
    const dry = first.newProcess()
    await first.run(dry)
    const world = await open('gcp')
    const at = dry.effects.indexOf('publish')
    assert.ok(at > 0, dry.effects.join(' '))
    await world.run(world.newProcess([{ at, mode: 'act', act: () => world.writeByHand() }])).catch(() => undefined)
    world.env.time += laterMs
    const told = world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    await assert.rejects(told, fails('stuck', /while a rotation published.*Nobody was told.*keyturn put/))
    await run(world, { kind: 'put' }, valueWith(world, 'given-0123456789abcdef'))
    assert.deepEqual([accountOf(world), await passwordOf(world)], ['given-0123456789abcdef', 'given-0123456789abcdef'])
    assert.equal((await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))).outcome, 'announced')
  })
})

describe('a platform that drives, where no password can be tried (aws)', () => {
  it('vouches for the step before the test; a finish alone sets the value once more', async () => {
    const world = await open('aws')
    const token = await world.startNative()
    const instance = world.newProcess()
    for (const step of ['create', 'set', 'test'] as const) await world.serve(instance, token, step)
    const set = accountOf(world)
    const sets = () => [...instance.effects, ...other.effects].filter((name) => name === 'target.set').length
    const other = world.newProcess()
    assert.equal(sets(), 1)
    await world.serve(other, token, 'finish')
    assert.equal(sets(), 2)
    assert.deepEqual([accountOf(world), await passwordOf(world)], [set, set])
  })
})
