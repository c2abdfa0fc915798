import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { Token } from '../../shared/core/ports/words.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { nothingBroken, watchPromises } from '../crash/promises.js'
import { picked } from '../crash/sample.js'
import { addConsumers, type Consumer } from '../harness/consumers.js'
import type { FakeProcess } from '../harness/faults.js'
import { countedStoreOf } from '../harness/gcp-counted.js'
import { watchedGcp } from '../harness/gcp-watched.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

const token = 'the-token-of-the-zombie-0123456789-abc' as Token
const dayMs = 86_400_000

describe('a process that wakes after its lease was taken over', () => {
  const watched = watchedGcp()
  let count = 0
  after(async () => watched.close?.())
  let world: World
  let broken: ReturnType<typeof nothingBroken>
  let consumers: readonly Consumer[]

  async function open(rotator: MemoryClass): Promise<void> {
    world = await World.open(rotator, watched.openReads ?? watched.open, `zombie-${++count}`, { 'keyturn-consumers': 'c0-prompt' })
    consumers = addConsumers(world, [['prompt', true]])
    await tell()
    broken = nothingBroken()
    watchPromises(world, broken, true, watched.readers?.(world))
  }
  const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  const run = (process: FakeProcess) => world.run(process, { token }).then(({ outcome }) => outcome, codeOf)
  const double = () => countedStoreOf(world).double
  const isConsumers = ({ writes, secret }: { writes: boolean; secret: string | undefined }) => writes && secret === world.ref.key
  const consumerWrites = () => double().calls.filter(isConsumers).length
  const versions = () => double().secrets.get(world.ref.key)?.versions.length
  /** Everybody follows, what was replaced is retired, and another rotation is made. */
  async function younger(): Promise<void> {
    await tell()
    world.env.time += dayMs
    await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))
    await world.run(world.newProcess(), { at: world.env.time })
    await tell()
  }
  /** The calls of a rotation, and which of them is the add for consumers. */
  async function rehearse(rotator: MemoryClass): Promise<{ effects: readonly string[]; add: number }> {
    await open(rotator)
    const process = world.newProcess()
    await run(process)
    return { effects: process.effects, add: process.effects.lastIndexOf('addSecretVersion') }
  }
  /** Its first write is its claim. */
  function diesAfterClaim(): FakeProcess {
    const process: FakeProcess = world.newProcess([
      {
        get at() {
          return process.effects.includes('updateSecret') ? process.effects.length : -1
        },
        mode: 'before',
      },
    ])
    return process
  }
  async function checkEnd(): Promise<void> {
    await tell()
    const { current, journal } = await world.store.describe(world.ref)
    assert.ok(world.accepts(await world.currentText()))
    assert.deepEqual([consumers[0]?.told.at(-1)?.version, journal?.code], [current?.id, undefined])
    assert.deepEqual(broken, nothingBroken())
  }

  for (const rotator of ['a', 'b'] as const) {
    it(`sends nothing to what consumers read, wherever it slept (${rotator})`, async () => {
      const { effects, add } = await rehearse(rotator)
      for (let at = 1; at < add; at++) {
        if (!picked(at, 3) && at < add - 3) continue
        await open(rotator)
        let slept = -1
        const act = async (): Promise<void> => {
          world.env.time += laterMs
          await run(world.newProcess())
          assert.equal(await world.published(), 1, `slept before ${effects[at]}`)
          slept = consumerWrites()
        }
        await run(world.newProcess([{ at, mode: 'act', act }]))
        assert.ok(slept >= 0)
        assert.equal(consumerWrites(), slept, `slept before ${effects[at]}`)
        assert.equal(versions(), 2)
        await checkEnd()
      }
    })

    it(`sends nothing either where who took over has written nothing yet but its claim (${rotator})`, async () => {
      const { effects, add } = await rehearse(rotator)
      for (let at = add - 4; at < add; at++) {
        await open(rotator)
        let written = -1
        const act = async (): Promise<void> => {
          world.env.time += laterMs
          await run(diesAfterClaim())
          written = consumerWrites()
        }
        assert.equal(await run(world.newProcess([{ at, mode: 'act', act }])), 'locked', `slept before ${effects[at]}`)
        assert.deepEqual([consumerWrites(), versions()], [written, 1])
        world.env.time += laterMs
        assert.equal(await run(world.newProcess()), 'published')
        assert.equal(await world.published(), 1)
        await checkEnd()
      }
    })

    it(`moves no alias back, wherever it slept after its add (${rotator})`, async () => {
      const { effects, add } = await rehearse(rotator)
      for (let at = add + 1; at < effects.length; at++) {
        await open(rotator)
        const act = async (): Promise<void> => {
          world.env.time += laterMs
          await run(world.newProcess())
          await younger()
        }
        await run(world.newProcess([{ at, mode: 'act', act }]))
        const aliases = Object.fromEntries(double().secrets.get(world.ref.key)?.aliases ?? [])
        assert.deepEqual(aliases, { current: 3, previous: 2 }, `slept before ${effects[at]}`)
        await checkEnd()
      }
    })

    it(`its add was sent before, and arrives late: one publication, one event (${rotator})`, async () => {
      const { add } = await rehearse(rotator)
      await open(rotator)
      const taken = { at: add, mode: 'act', act: () => takeOver() } as const
      const takeOver = async (): Promise<void> => {
        world.env.time += laterMs
        await run(world.newProcess())
      }
      await run(world.newProcess([taken]))
      assert.equal(versions(), 3)
      assert.equal((await world.store.describe(world.ref)).current?.id, '2')
      await tell()
      assert.deepEqual(
        consumers[0]?.told.map(({ version }) => version),
        ['1', '2'],
      )
      await checkEnd()
    })
  }

  describe('its add was sent before, and the service carries it out after a younger rotation', () => {
    let arrive: () => void
    let zombie: Promise<unknown>
    /** The add of the zombie is under way, while another process finishes its rotation and then starts one of its own. */
    async function overtaken(rotator: MemoryClass): Promise<string> {
      await open(rotator)
      const delayed = new Promise<void>((resolve) => {
        arrive = resolve
      })
      const { fault } = double()
      let sent: (value: unknown) => void
      const isSent = new Promise((resolve) => {
        sent = resolve
      })
      let isFirst = true
      double().fault = (call, n) => {
        if (!isConsumers(call) || call.name !== 'AddSecretVersion' || !isFirst) return fault(call, n)
        isFirst = false
        fault(call, n)
        sent(undefined)
        return { delayed }
      }
      zombie = run(world.newProcess())
      await isSent
      world.env.time += laterMs
      await run(world.newProcess())
      await younger()
      return world.currentText()
    }
    beforeEach(() => {
      arrive = () => assert.fail('nothing is under way')
    })

    it('the target refuses it: nobody is told of it, and the younger value is published again', async () => {
      const good = await overtaken('a')
      const told = consumers[0]?.told.length
      arrive()
      await zombie
      const late = (await world.store.describe(world.ref)).current
      assert.equal(late?.copiesOlder, true)
      await tell()
      assert.equal(await world.currentText(), good)
      const heard = consumers[0]?.told.slice(told).map(({ version }) => version)
      assert.deepEqual(heard, [(await world.store.describe(world.ref)).current?.id])
      assert.ok(!heard?.includes(late?.id as never))
      assert.ok(world.accepts(good))
      assert.deepEqual([broken.untestedVisible, broken.other], [[], []])
    })

    it('the target accepts it: it is announced, and works', async () => {
      await overtaken('b')
      arrive()
      await zombie
      await tell()
      await checkEnd()
    })
  })
})
