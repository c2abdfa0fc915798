import assert from 'node:assert/strict'
import { after as afterAll, describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { RotationRequest, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { sampler } from '../crash/sample.js'
import { openAws } from '../harness/aws.js'
import { effectStore } from '../harness/effect-store.js'
import type { FaultMode } from '../harness/faults.js'
import { SecretsManagerDouble } from '../harness/secrets-manager.js'
import { storeHarnesses } from '../harness/stores.js'
import { laterMs, type MemoryClass, type OpenStore, World } from '../harness/world.js'

/** The password was changed past us, and the secret is stuck: a put of the right value is the way out, and a wrong one changes nothing. */
interface Place {
  readonly name: string
  readonly open: OpenStore
  /** Its calls go over a wire. */
  readonly slow?: true
  /** The platform begins a rotation of its own, and calls nobody. */
  start?(world: World): Promise<Token>
  close?(): Promise<void>
}
const watched = Object.values(storeHarnesses)
  .flat()
  .flatMap(({ watched: one }) => (one ? [one] : []))
const places: readonly Place[] = [
  ...watched.map((one): Place => ({ ...one, ...(one.serviceDriven ? { start: (world) => world.startNative() } : {}) })),
  ...[false, true].map(aws),
]

/** Secrets Manager, with and without a rotation function, which never ends here. */
function aws(driven: boolean): Place {
  const doubles: SecretsManagerDouble[] = []
  const functionArn = 'arn:aws:lambda:eu-west-1:123456789012:function:keyturn-rotate'
  const open: OpenStore = async (env, effects) => {
    const double = await SecretsManagerDouble.open(env.now)
    double.attemptsMax = 1
    double.functions.set(functionArn, async () => 'it timed out')
    doubles.push(double)
    return effectStore(openAws(double.endpoint, env), effects)
  }
  const start = async ({ ref }: World): Promise<Token> =>
    doubles.at(-1)?.do('RotateSecret', { SecretId: ref.key, RotationLambdaARN: functionArn, RotationRules: { AutomaticallyAfterDays: 30 } })
      .VersionId as Token
  const close = async () => {
    for (const double of doubles.splice(0)) await double.close()
  }
  return { name: driven ? 'aws double, driven' : 'aws double', open, close, ...(driven ? { start } : {}) }
}
const right = 'set-by-hand-0123456789'
const placeOf = (name: string): Place => places.find((place) => place.name === name) as Place
let opened = 0
const token = (name: string) => `token-of-${name}-0123456789-0123456789` as Token
const run = (world: World, request: Partial<RotationRequest> = {}, value?: SecretText) => world.run(world.newProcess(), request, value)
const valueWith = (world: World, password: string) => new SecretText(JSON.stringify({ ...JSON.parse(world.firstValue), password }))
const stateOf = (world: World) => world.store.describe(world.ref)
const fails = (code: string) => (cause: unknown) => codeOf(cause) === code

/** Stuck, with a value pending. `taken`: that pending value is the only one that the target accepts. */
async function stuck(rotator: MemoryClass, place: Place, taken: boolean): Promise<{ world: World; pending: string }> {
  const world = await World.open(rotator, place.open, `put-on-stuck-${++opened}`)
  await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  if (place.start) await world.serve(world.newProcess(), await place.start(world), 'create')
  else await run(world, { step: 'create' })
  const before = await stateOf(world)
  assert.ok(before.pending?.hasValue)
  const pending = (await world.store.read(world.ref, before.pending.id)).reveal()
  const { username, password } = JSON.parse(pending) as { username: string; password: string }
  world.target.accounts.set('app_a', right)
  if (taken) world.target.accounts.set(username, password)
  await world.store.note(before, { code: 'stuck' })
  world.env.time += laterMs
  return { world, pending }
}

/** Everything that is stored, value by value, and the state. */
async function stored(world: World): Promise<unknown> {
  const state = await stateOf(world)
  const ids = [state.current, state.pending, state.previous, ...state.loose].flatMap((info) => (info ? [info.id] : []))
  const texts = await Promise.all(ids.map(async (id) => (await world.store.read(world.ref, id)).reveal()))
  return { state, texts }
}

for (const place of places) {
  for (const rotator of ['a', 'b'] as const) {
    describe(`a put on a stuck secret (${place.name}, class ${rotator})`, () => {
      afterAll(() => place.close?.())
      it('refused: one login, and nothing changes, neither the journal nor the pending value', async () => {
        const { world } = await stuck(rotator, place, true)
        const before = await stored(world)
        const logins = world.target.logins.length
        await assert.rejects(run(world, { kind: 'put', token: token('typo') }, valueWith(world, 'a-typo-0123456789')), (cause) => {
          assert.ok(cause instanceof RotationError)
          assert.deepEqual([cause.code, cause.field], ['target_auth', 'value'])
          assert.match(cause.next, /keyturn recover \w+:(\S+\/)?db /)
          assert.doesNotMatch(cause.next, /older rotation is open/)
          return true
        })
        assert.deepEqual(await stored(world), before)
        assert.equal(world.target.logins.length, logins + 1)
      })

      it('a value that is not a credential: no login, and nothing changes', async () => {
        const { world } = await stuck(rotator, place, true)
        const before = await stored(world)
        const logins = world.target.logins.length
        await assert.rejects(run(world, { kind: 'put', token: token('typo') }, new SecretText('oops')), fails('bad_value'))
        assert.deepEqual([await stored(world), world.target.logins.length], [before, logins])
      })

      it('accepted: published under its own token, not stuck any more, and the pending value is a leftover', async () => {
        const { world } = await stuck(rotator, place, false)
        const logins = world.target.logins.length
        const result = await run(world, { kind: 'put', token: token('right') }, valueWith(world, right))
        assert.deepEqual([result.outcome, result.token], ['published', token('right')])
        assert.ok(world.target.logins.slice(logins).every(({ accepted }) => accepted))
        const after = await stateOf(world)
        assert.deepEqual([after.journal?.code, after.pending], [undefined, undefined])
        assert.match(await world.currentText(), new RegExp(right))
        await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
        world.env.time += 8 * laterMs
        if (after.drivenBy === 'engine') await run(world, { kind: 'resume' })
        assert.deepEqual((await stateOf(world)).loose, [], 'the next request clears the leftover away')
        if (after.drivenBy === 'engine') assert.equal((await run(world)).outcome, 'published')
        else if (place.start) await world.runService(world.newProcess(), await place.start(world))
        assert.ok(world.accepts(await world.currentText()))
      })

      it('killed or cut anywhere, and said again: it ends on the value that works, and stuck is over', async () => {
        const sample = sampler(place.slow ? 4 : 1)
        const rehearsal = await stuck(rotator, place, false)
        const dry = rehearsal.world.newProcess()
        await rehearsal.world.run(dry, { kind: 'put', token: token('one') }, valueWith(rehearsal.world, right))
        for (const [at, name] of dry.effects.entries()) {
          for (const mode of ['before', 'after', 'lost', 'unsent'] as const satisfies readonly FaultMode[]) {
            for (const again of ['one', 'two']) {
              if (!sample.take()) continue
              const { world } = await stuck(rotator, place, false)
              const said = (process = world.newProcess(), name = again) =>
                world.run(process, { kind: 'put', token: token(name) }, valueWith(world, right))
              await said(world.newProcess([{ at, mode }]), 'one').catch(() => undefined)
              world.env.time += laterMs
              const title = `${mode} at ${name}, then ${again}`
              if (place.start === undefined) await run(world, { kind: 'resume' }).catch(() => undefined) // a sweep comes first
              world.env.time += laterMs
              await said().catch((cause: unknown) => assert.ok(['held', 'locked'].includes(codeOf(cause) ?? ''), `${title}: ${cause}`))
              assert.match(await world.currentText(), new RegExp(right), title)
              assert.equal((await stateOf(world)).journal?.code, undefined, title)
              assert.ok(
                world.target.logins.every(({ accepted }) => accepted),
                title,
              )
            }
          }
        }
      })

      it('killed or cut anywhere where the pending value is accepted too: a typo afterwards loses nothing', async () => {
        if (rotator === 'a') return // one account accepts one password
        const rehearsal = await stuck(rotator, place, true)
        const dry = rehearsal.world.newProcess()
        await rehearsal.world.run(dry, { kind: 'put', token: token('one') }, valueWith(rehearsal.world, right))
        for (const [at, name] of dry.effects.entries()) {
          const { world } = await stuck(rotator, place, true)
          await world
            .run(world.newProcess([{ at, mode: 'after' }]), { kind: 'put', token: token('one') }, valueWith(world, right))
            .catch(() => undefined)
          world.env.time += laterMs
          await run(world, { kind: 'put', token: token('typo') }, valueWith(world, 'a-typo-0123456789')).catch(() => undefined)
          await run(world, { kind: 'put', token: token('two') }, valueWith(world, right)).catch((cause: unknown) =>
            assert.equal(codeOf(cause), 'held', name),
          )
          assert.ok(world.accepts(await world.currentText()), name)
        }
      })
    })
  }
}

describe('a put on a stuck secret', () => {
  it('the token holds another value: said before any login, and nothing changes', async () => {
    const { world } = await stuck('a', placeOf('k8s'), true)
    const { pending } = await stateOf(world)
    const before = await stored(world)
    await assert.rejects(run(world, { kind: 'put', token: pending?.token as Token }, valueWith(world, right)), fails('token_spent'))
    assert.deepEqual(await stored(world), before)
  })
  it('the target cannot be reached: nothing changes', async () => {
    const { world } = await stuck('a', placeOf('file'), true)
    const before = await stored(world)
    const { effects } = world.target
    world.target.effects = async () => {
      throw new RotationError('target_unreachable', 'No route.', { next: 'Look.' })
    }
    await assert.rejects(run(world, { kind: 'put', token: token('x') }, valueWith(world, right)), fails('target_unreachable'))
    world.target.effects = effects
    assert.deepEqual(await stored(world), before)
  })
  it('the pending value itself is put: it is published, and its copy goes', async () => {
    const { world, pending } = await stuck('a', placeOf('gcp'), true)
    await run(world, { kind: 'put', token: token('same') }, new SecretText(pending))
    assert.equal(await world.currentText(), pending)
    await run(world, { kind: 'resume' })
    assert.deepEqual((await stateOf(world)).loose, [])
    assert.ok(world.accepts(await world.currentText()))
  })
  it('of no known kind: nothing can log in, and it stays stuck', async () => {
    const { world } = await stuck('a', placeOf('k8s'), false)
    await world.store.setPolicy(world.ref, { 'keyturn-rotator': null })
    await assert.rejects(run(world, { kind: 'put', token: token('x') }, valueWith(world, right)), fails('stuck'))
  })
})
