import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, type RotationError } from '../../shared/core/errors.js'
import { type RotationRequest, steps, type Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import type { RotationResult } from '../../shared/lifecycle/secret/deps.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { Crash, type FakeProcess } from '../harness/faults.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** Several processes on one secret: at the same moment, after one slept or died, one step each, one rotation soon after another. */
const tokenOf = (name: string | number): Token => `token-of-${name}-0123456789-0123456789` as Token
const engines = (Object.keys(profiles) as ProfileName[]).filter((name) => !profiles[name].serviceDriven)
const classes = ['a', 'b', 'c', 'f'] as const satisfies readonly MemoryClass[]

let opened = 0
const open = (profile: ProfileName, rotator: MemoryClass): Promise<World> =>
  World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `race-${++opened}`)

type End = RotationResult['outcome'] | RotationError['code']
/** Only errors of ours are an end; anything else is a bug. */
async function endOf(run: Promise<RotationResult>): Promise<End> {
  try {
    return (await run).outcome
  } catch (cause) {
    const code = codeOf(cause)
    if (code === undefined || code === 'internal') throw cause
    return code
  }
}

const published = (world: World): Promise<number> => world.published()

async function assertSettled(world: World): Promise<void> {
  assert.ok(world.accepts(await world.currentText()), 'the stored current value is refused')
  const { pending, loose, journal } = await world.store.describe(world.ref)
  assert.deepEqual({ pending, loose, code: journal?.code }, { pending: undefined, loose: [], code: undefined })
}

const one = tokenOf('one')
const run = (world: World, request: Partial<RotationRequest>, given?: SecretText) => world.run(world.newProcess(), request, given)
const quiet: readonly End[] = ['locked', 'unchanged', 'conflict']

describe('adopt', () => {
  it('looks again where somebody notes something at the moment of its own last note, and takes back nothing of theirs', async () => {
    const world = await open('gcp', 'a')
    const { store, ref } = world
    await store.note(await store.describe(ref), { code: 'stuck' })
    const { note } = store
    let isFirst = true
    store.note = async (state, patch) => {
      if (isFirst) await note.call(store, await store.describe(ref), { checkedAt: 17 })
      isFirst = false
      return note.call(store, state, patch)
    }
    const { current } = await store.describe(ref)
    const policy = { 'keyturn-rotator': 'memory-a' }
    assert.equal((await adopt(world.deps('a person'), store, ref.shown, policy)).logsIn, true)
    const { journal } = await store.describe(ref)
    assert.deepEqual([journal?.code, journal?.announced, journal?.checkedAt], [undefined, current?.id, 17])
  })
})

describe('several rotators of one secret at the same moment', () => {
  const requests: Readonly<Record<string, (index: number) => Partial<RotationRequest>>> = {
    'one token': () => ({ token: tokenOf('all') }),
    'no token': () => ({}),
    'a token each': (index) => ({ token: tokenOf(index) }),
  }
  for (const [kind, request] of Object.entries(requests)) {
    for (const profile of engines) {
      for (const rotator of classes) {
        for (const count of [2, 8]) {
          it(`${count} with ${kind}: one publishes, the others change nothing (${profile}, class ${rotator})`, async () => {
            const world = await open(profile, rotator)
            const at = world.env.time
            const processes = Array.from({ length: count }, () => world.newProcess())
            const ends = await Promise.all(processes.map((process, index) => endOf(world.run(process, { at, ...request(index) }))))
            assert.equal(ends.filter((end) => end === 'published').length, 1, ends.join())
            assert.deepEqual(
              ends.filter((end) => end !== 'published' && !quiet.includes(end)),
              [],
            )
            assert.equal(await published(world), 1)
            assert.deepEqual(
              world.target.logins.filter(({ accepted }) => !accepted),
              [],
            )
            if (rotator === 'c') assert.equal(world.target.keys.size, 2, 'a key too many was made')
            await assertSettled(world)
            // Who came second asks again: it was rotated since, so nothing happens.
            assert.equal(await endOf(world.run(world.newProcess(), { at, ...request(count) })), 'unchanged')
            assert.equal(await published(world), 1)
          })
        }
      }
    }
  }

  for (const profile of engines) {
    it(`a rotation, an emergency and a resume at once: never two that set (${profile})`, async () => {
      const world = await open(profile, 'a')
      const at = world.env.time
      const kinds = ['rotate', 'emergency', 'resume', 'emergency', 'rotate'] as const
      const ends = await Promise.all(kinds.map((kind) => endOf(world.run(world.newProcess(), { kind, at, reason: 'test' }))))
      assert.equal(ends.filter((end) => end === 'published').length, 1, ends.join())
      assert.equal(await published(world), 1)
      await assertSettled(world)
    })
  }
})

/** At each effect of one rotation, as many runs as it has effects. */
async function atEachEffect(profile: ProfileName, rotator: MemoryClass, refuse: number, run: (at: number, name: string) => Promise<void>) {
  const rehearsal = await open(profile, rotator)
  rehearsal.target.refuseNext = refuse
  const process = rehearsal.newProcess()
  await rehearsal.run(process, { token: tokenOf('sleeper') })
  for (const [at, name] of process.effects.entries()) await run(at, name)
}

const wakers: Readonly<Record<string, (at: number) => Partial<RotationRequest>>> = {
  'the same token': () => ({ token: tokenOf('sleeper') }),
  'a resume': () => ({ kind: 'resume' }),
  'a new request': () => ({}),
  'another token': () => ({ token: tokenOf('waker') }),
  'an emergency': () => ({ kind: 'emergency', reason: 'test' }),
}

describe('a rotator that slept while its lease was taken over', () => {
  for (const profile of engines) {
    for (const rotator of classes) {
      for (const [who, request] of Object.entries(wakers)) {
        for (const refuse of rotator === 'a' || rotator === 'b' ? [0, 1] : [0]) {
          const title = refuse === 0 ? '' : ', the first value refused'
          it(`by ${who}: the account is what the store says, whenever it slept (${profile}, class ${rotator}${title})`, async () => {
            await atEachEffect(profile, rotator, refuse, async (at, name) => {
              const world = await open(profile, rotator)
              world.target.refuseNext = refuse
              let between: string | undefined
              const act = async () => {
                world.env.time += laterMs
                await endOf(world.run(world.newProcess(), request(world.env.time)))
                between = await world.currentText()
                assert.ok(world.accepts(between), `${name}: the one that took over left a value that is refused`)
              }
              const asked = world.env.time
              const end = await endOf(world.run(world.newProcess([{ at, mode: 'act', act }]), { token: tokenOf('sleeper'), at: asked }))
              // A value that was kept after another one had taken over is a leftover of its token, which is spent then.
              const late = profiles[profile].publish === 'checked' ? ['token_spent'] : []
              assert.ok(['published', ...quiet, 'held', 'foreign_write', ...late].includes(end), `${name}: ended ${end}`)
              world.env.time += laterMs
              await endOf(world.run(world.newProcess(), { kind: 'resume' }))
              assert.ok(world.accepts(await world.currentText()), `${name}: the stored current value is refused`)
              assert.equal((await world.store.describe(world.ref)).journal?.code, undefined, `${name}: stuck`)
              if (who === 'the same token') assert.equal(await published(world), 1, name)
              // What was sent before the lease ended arrives all the same, where the write has no condition.
              assert.ok((await published(world)) <= (name === 'publish' && late.length > 0 ? 3 : 2), name)
            })
          })
        }
      }
    }
  }

  for (const profile of engines) {
    it(`before its claim, the value that it had read of was replaced: it goes on with the one that is there (${profile})`, async () => {
      const world = await open(profile, 'a')
      await world.run(world.newProcess(), { step: 'create', token: one })
      world.target.refuseNext = 1
      const act = async () => {
        await assert.rejects(run(world, { step: 'set', token: one }))
        await run(world, { step: 'create', token: one })
      }
      assert.equal((await world.run(world.newProcess([{ at: 0, mode: 'act', act }]), { token: one })).outcome, 'published')
      await assertSettled(world)
    })

    it(`after another publication it sets nothing and publishes nothing (${profile})`, async () => {
      await atEachEffect(profile, 'a', 0, async (at, name) => {
        const world = await open(profile, 'a')
        const sleeper = world.newProcess([
          {
            at,
            mode: 'act',
            act: async () => {
              world.env.time += laterMs
              await world.run(world.newProcess(), { token: tokenOf('sleeper') })
              awake.push(...Array.from(world.target.accounts.values()), await world.currentText())
            },
          },
        ])
        const awake: string[] = []
        await endOf(world.run(sleeper, { token: tokenOf('sleeper') }))
        assert.deepEqual([...world.target.accounts.values(), await world.currentText()], awake, name)
      })
    })

    it(`a minted key is not retired by one that slept after its last look (${profile}, class C)`, async () => {
      const rehearse = await open(profile, 'c')
      const spread = 12 // as many logins as one invocation makes before it holds the key for refused
      rehearse.target.unknownFor = spread
      const dry = rehearse.newProcess()
      await rehearse.run(dry, { token: tokenOf('sleeper') })
      const at = dry.effects.indexOf('target.remove')
      assert.ok(at > 0, dry.effects.join())
      const world = await open(profile, 'c')
      world.target.unknownFor = spread
      const act = async () => {
        world.env.time += laterMs
        await world.run(world.newProcess(), { token: tokenOf('sleeper') })
      }
      await endOf(world.run(world.newProcess([{ at, mode: 'act', act }]), { token: tokenOf('sleeper') }))
      assert.ok(world.accepts(await world.currentText()), 'the key that was published meanwhile is gone at the issuer')
    })
  }
})

describe('a rotator that died or slept while its journal was lost', () => {
  for (const profile of engines) {
    for (const rotator of classes) {
      it(`another one comes at that moment: no value in force is lost (${profile}, class ${rotator})`, async () => {
        await atEachEffect(profile, rotator, 0, async (at, name) => {
          const world = await open(profile, rotator)
          const act = async () => {
            ;(world.store as MemoryStore).wipeJournal(world.ref)
            await endOf(run(world, { kind: 'resume' }))
          }
          await endOf(world.run(world.newProcess([{ at, mode: 'act', act }]), { token: tokenOf('sleeper') }))
          world.env.time += laterMs
          await endOf(run(world, { kind: 'resume' }))
          assert.ok(world.accepts(await world.currentText()), `the stored current value is refused, after the journal was lost at ${name}`)
        })
      })
    }
  }

  const die = async (world: World, process: FakeProcess): Promise<void> => {
    await assert.rejects(world.run(process, { token: tokenOf('sleeper') }), (cause) => process.dead || cause instanceof Crash)
  }
  for (const profile of engines) {
    for (const rotator of classes) {
      it(`another one comes at that moment, and the value had waited long: no value in force is lost (${profile}, class ${rotator})`, async () => {
        await atEachEffect(profile, rotator, 0, async (at, name) => {
          const world = await open(profile, rotator)
          await run(world, { step: 'create', token: one })
          world.env.time += laterMs
          const act = async () => {
            ;(world.store as MemoryStore).wipeJournal(world.ref)
            await endOf(run(world, { kind: 'resume' }))
          }
          await endOf(world.run(world.newProcess([{ at, mode: 'act', act }]), { token: one }))
          world.env.time += laterMs
          await endOf(run(world, { kind: 'resume' }))
          assert.ok(
            world.accepts(await world.currentText()),
            `the stored current value is refused, after the journal was lost at ${name} or near`,
          )
        })
      })

      it(`two others come at that moment, the first cannot reach the target: no value in force is lost (${profile}, class ${rotator})`, async () => {
        await atEachEffect(profile, rotator, 0, async (at, name) => {
          const world = await open(profile, rotator)
          const act = async () => {
            ;(world.store as MemoryStore).wipeJournal(world.ref)
            const cut = world.newProcess([1, 2, 3, 4].map((effect) => ({ at: effect, mode: 'unsent' as const })))
            await endOf(world.run(cut, { kind: 'resume' }))
            await endOf(run(world, { kind: 'resume' }))
          }
          await endOf(world.run(world.newProcess([{ at, mode: 'act', act }]), { token: one }))
          world.env.time += laterMs
          await endOf(run(world, { kind: 'resume' }))
          assert.ok(world.accepts(await world.currentText()), `the stored current value is refused, after the journal was lost at ${name}`)
        })
      })

      it(`another one holds the same token since: what it staged is not this one's to go on with (${profile}, class ${rotator})`, async () => {
        const world = await open(profile, rotator)
        const token = tokenOf('sleeper')
        const act = async () => {
          ;(world.store as MemoryStore).wipeJournal(world.ref)
          const other = world.newProcess([{ at: 0, mode: 'after' }])
          await die(world, other)
        }
        assert.equal(await endOf(world.run(world.newProcess([{ at: rotator === 'c' ? 2 : 1, mode: 'act', act }]), { token })), 'locked')
        assert.equal(await world.currentText(), world.firstValue)
      })

      it(`two others at once find what it left, and one of them takes it (${profile}, class ${rotator})`, async () => {
        await atEachEffect(profile, rotator, 0, async (at, name) => {
          const world = await open(profile, rotator)
          await die(world, world.newProcess([{ at, mode: 'after' }]))
          ;(world.store as MemoryStore).wipeJournal(world.ref)
          world.env.time += laterMs
          const asked = world.env.time
          const ends = await Promise.all([
            endOf(world.run(world.newProcess(), { at: asked })),
            endOf(world.run(world.newProcess(), { kind: 'resume', at: asked })),
          ])
          assert.deepEqual(
            ends.filter((end) => ![...quiet, 'published', 'held'].includes(end)),
            [],
            name,
          )
          world.env.time += laterMs
          await endOf(world.run(world.newProcess(), { kind: 'resume' }))
          await assertSettled(world)
        })
      })
    }
  }
})

describe('one step at a time, and one rotation soon after another', () => {
  for (const profile of engines) {
    for (const rotator of classes) {
      it(`each step twice, each in a process of its own: one publication, at the end (${profile}, class ${rotator})`, async () => {
        const world = await open(profile, rotator)
        const at = world.env.time
        const first = await world.currentText()
        for (const step of steps) {
          for (const turn of [1, 2]) {
            const { outcome } = await run(world, { step, token: one, at })
            const expected =
              step === 'finish' ? (turn === 1 ? 'published' : 'unchanged') : step === 'create' && turn === 2 ? 'unchanged' : 'step'
            assert.equal(outcome, expected, `${step}, turn ${turn}`)
            assert.equal((await world.currentText()) === first, step !== 'finish')
          }
        }
        assert.equal(await published(world), 1)
        assert.ok(world.target.logins.filter(({ accepted }) => !accepted).length <= 1)
        await assertSettled(world)
      })
    }

    it(`finish alone tests first: what was never set is not published (${profile})`, async () => {
      const world = await open(profile, 'a')
      await run(world, { step: 'create', token: one })
      await assert.rejects(run(world, { step: 'finish', token: one }))
      assert.equal(await world.currentText(), world.firstValue)
      assert.ok(world.accepts(world.firstValue))
    })

    it(`a pair is held to the last millisecond of grace, a put too; an emergency passes with its reason (${profile}, class B)`, async () => {
      const world = await open(profile, 'b')
      await run(world, { token: one })
      const { publishedAt } = await world.store.describe(world.ref)
      const first = new SecretText(await world.currentText())
      for (const [ms, kind] of [
        [1, 'rotate'],
        [1000, 'put'],
        [3_600_000 - 1, 'rotate'],
      ] as const) {
        world.env.time = publishedAt + ms
        await assert.rejects(run(world, { kind, token: tokenOf('two') }, first), (cause) => codeOf(cause) === 'held')
      }
      assert.equal(world.target.logins.length, 1)
      const reason = 'laptop stolen'
      assert.equal((await run(world, { kind: 'emergency', reason })).outcome, 'published')
      assert.ok(world.audit.some((record) => record.reason === reason))
      world.env.time = (await world.store.describe(world.ref)).publishedAt + 3_600_000
      assert.equal((await run(world, { token: tokenOf('three') })).outcome, 'published')
      await assertSettled(world)
    })
  }
})
