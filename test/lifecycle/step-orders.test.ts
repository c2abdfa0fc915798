import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import { type Step, steps, type Token } from '../../shared/core/ports/words.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import type { FakeProcess } from '../harness/faults.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

const classes = ['a', 'b', 'c', 'f'] as const satisfies readonly MemoryClass[]
/** One instance for all calls · another one for each · the instance changes before every second call. */
const instances = ['warm', 'cold', 'by twos'] as const

/** Every order of so many calls, with repeats. What each call of an order must end with is checked, so the shorter ones are among them. */
const orders = (length: number): readonly (readonly Step[])[] =>
  length === 0 ? [[]] : orders(length - 1).flatMap((order) => steps.map((step) => [...order, step]))

let opened = 0
const open = (rotator: MemoryClass): Promise<World> =>
  World.open(rotator, (env, effects) => new MemoryStore(env, profiles.aws, effects), `order-${++opened}`)
async function start(rotator: MemoryClass): Promise<{ world: World; token: Token }> {
  const world = await open(rotator)
  return { world, token: await world.startNative() }
}
const endOf = (world: World, process: FakeProcess, token: Token, step: Step): Promise<string> =>
  world.serve(process, token, step).then(
    ({ outcome }) => outcome,
    (cause: unknown) => codeOf(cause) ?? String(cause),
  )

/** empty: AWSPENDING without a value · made: the target has not heard of it · set: the target accepts it · spent: it was given up. */
type Stage = 'empty' | 'made' | 'set' | 'published' | 'spent'
/** What must come of a step, by itself and for the next one. An issued or self-issued value is accepted from the beginning. */
function expected(stage: Stage, step: Step, rotator: MemoryClass): { readonly end: string; readonly next: Stage } {
  const isMadeThere = rotator === 'c' || rotator === 'f'
  if (stage === 'spent') return { end: 'token_spent', next: stage }
  if (stage === 'published') return { end: 'unchanged', next: stage }
  if (stage === 'empty') {
    if (step === 'create') return { end: 'step', next: isMadeThere ? 'set' : 'made' }
    return { end: step === 'test' ? 'step' : 'bad_event', next: stage }
  }
  if (step === 'create') return { end: 'unchanged', next: stage }
  if (step === 'set') return { end: 'step', next: 'set' }
  if (stage === 'set') return step === 'test' ? { end: 'step', next: stage } : { end: 'published', next: 'published' }
  // Nothing was set: a test gives the value up, since the target refuses it and accepts current. finish gives nothing up.
  return step === 'test' ? { end: 'token_spent', next: 'spent' } : { end: 'bad_event', next: stage }
}

/** Whether a publication needs a login of its own: `tested` is what this instance tested last. */
const loginsOfFinish = (stage: Stage, tested: boolean): number => (['made', 'set'].includes(stage) && !tested ? 1 : 0)

async function carryOut(rotator: MemoryClass, order: readonly Step[], kind: (typeof instances)[number], goesOn: boolean): Promise<void> {
  const what = `class ${rotator}, ${kind}: ${order.join(' ')}`
  const { world, token } = await start(rotator)
  const first = await world.currentText()
  /** A publication, at the moment when it becomes visible. */
  world.watch = async (name) => {
    const text = await world.currentText()
    if (text === first) return
    const { username, password } = JSON.parse(text) as { username: string; password: string }
    const isAccepted =
      rotator === 'f' || world.target.logins.some((one) => one.accepted && one.user === username && one.secret === password)
    assert.ok(isAccepted && world.accepts(text), `${what}: ${name} published what nobody had logged in with`)
  }
  let stage: Stage = 'empty'
  let process = world.newProcess()
  let tested = false
  for (const [index, step] of order.entries()) {
    if (kind === 'cold' || (kind === 'by twos' && index % 2 === 0)) {
      process = world.newProcess()
      tested = false
    }
    const logins = world.target.logins.length
    const { end, next } = expected(stage, step, rotator)
    assert.equal(await endOf(world, process, token, step), end, `${what}: ${step}, call ${index + 1}`)
    if (step === 'finish' && rotator !== 'f')
      assert.equal(world.target.logins.length - logins, loginsOfFinish(stage, tested), `${what}: logins of finish, call ${index + 1}`)
    if (stage === 'made' && step === 'finish') assert.ok((await world.store.describe(world.ref)).pending?.hasValue, `${what}: kept`)
    // finish remembers its own login, too.
    if (step !== 'create') tested = end !== 'bad_event' && (step === 'test' || step === 'finish') && stage !== 'empty'
    stage = next
  }
  assert.equal((await world.currentText()) !== first, stage === 'published', what)
  if (goesOn) await convergesFrom(world, token, stage, what)
}

/** The service calls all four again, with the same token; a spent one gives way to the next. */
async function convergesFrom(world: World, token: Token, stage: Stage, what: string): Promise<void> {
  const process = world.newProcess()
  const again = stage === 'spent' ? await world.startNative() : token
  world.env.time += laterMs
  await world.runService(process, again)
  assert.equal(await world.publications(), 1, what)
  assert.ok(world.accepts(await world.currentText()), what)
}

describe('a platform calls the steps in any order, on warm and cold instances', () => {
  for (const rotator of classes) {
    for (const kind of instances) {
      // What is issued or self-issued is accepted from the beginning: its orders differ less.
      const length = kind !== 'by twos' && (rotator === 'a' || rotator === 'b') ? 5 : 4
      it(`class ${rotator}, ${kind}: every order of ${length} calls publishes only what was accepted, and the right order still publishes`, async () => {
        const all = orders(length)
        assert.equal(all.length, 4 ** length)
        for (const [index, order] of all.entries()) await carryOut(rotator, order, kind, index % 4 === 0 || order.at(-1) === 'finish')
      })
    }
  }

  const served = (world: World, process: FakeProcess, token: Token, order: readonly Step[]) =>
    order.reduce((before, step) => before.then(() => world.serve(process, token, step).then(() => {})), Promise.resolve())
  const loginsOf = async (world: World, act: () => Promise<unknown>): Promise<number> => {
    const { length } = world.target.logins
    await act()
    return world.target.logins.length - length
  }

  it('a test under another token says nothing, nor does an old one', async () => {
    const troubles: Readonly<Record<string, (world: World, process: FakeProcess) => Promise<unknown>>> = {
      'another token': (world, process) => world.serve(process, 'another-token-0123456789-0123456789' as Token, 'test').catch(codeOf),
      'a quarter of an hour': async (world) => {
        world.env.time += 15 * 60_000
      },
    }
    for (const [name, trouble] of Object.entries(troubles)) {
      const { world, token } = await start('a')
      const process = world.newProcess()
      await served(world, process, token, ['create', 'set', 'test'])
      await trouble(world, process)
      assert.equal(await loginsOf(world, () => world.serve(process, token, 'finish')), 1, name)
    }
  })

  it('the test of a rotation that was abandoned says nothing about the next one', async () => {
    const { world, token } = await start('a')
    const process = world.newProcess()
    await served(world, process, token, ['create', 'set', 'test'])
    world.target.accounts.set('app_a', JSON.parse(world.firstValue).password)
    assert.ok(world.store instanceof MemoryStore)
    world.store.stripPending(world.ref)
    const next = await world.startNative()
    await served(world, process, next, ['create'])
    assert.equal(await endOf(world, process, next, 'finish'), 'bad_event')
    assert.equal(await world.currentText(), world.firstValue)
  })

  it('a test that fails takes back what an earlier one showed', async () => {
    const { world, token } = await start('b')
    const process = world.newProcess()
    await served(world, process, token, ['create', 'set', 'test'])
    const { logins } = world.target
    const [last] = logins.slice(-1)
    world.target.login = async () => {
      throw new Error('out of reach')
    }
    await assert.rejects(world.serve(process, token, 'test'))
    Reflect.deleteProperty(world.target, 'login')
    world.target.accounts.set(last?.user ?? '', 'changed-by-hand')
    assert.equal(await endOf(world, process, token, 'finish'), 'bad_event')
    assert.equal(await world.currentText(), world.firstValue)
    assert.equal((await world.store.describe(world.ref)).pending?.token, token)
  })
})
