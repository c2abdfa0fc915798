import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import { type Code, codes } from '../../shared/core/ports/errors.js'
import { type AuditRecord, createGuard, createRedactor, type Guard, guarded } from '../../shared/lifecycle/guard/index.js'
import { FakeEnv } from '../harness/fake-env.js'

type Call = Parameters<typeof guarded>[1]

interface Bench {
  readonly env: FakeEnv
  readonly guard: Guard
  readonly records: AuditRecord[]
  /** Every call and every record, in the order in which they happened. */
  readonly order: string[]
  readonly waits: number[]
}

function bench(write: (record: AuditRecord, env: FakeEnv) => void | Promise<void> = () => {}): Bench {
  const env = new FakeEnv()
  const [records, order, waits]: [AuditRecord[], string[], number[]] = [[], [], []]
  const sleep = env.sleep
  env.sleep = async (ms) => {
    waits.push(ms)
    await sleep(ms)
  }
  const audit = {
    write: async (record: AuditRecord) => {
      await write(record, env)
      records.push(record)
      order.push(record.phase)
    },
  }
  return { env, guard: createGuard({ env, audit, redactor: createRedactor(), holder: 'h' }), records, order, waits }
}

const call = (rest: Partial<Call> = {}): Call => ({
  name: 'store.stage',
  ref: 'file:db',
  effect: false,
  classify: () => 'unavailable',
  ...rest,
})
const failing = ({ order }: Bench, times = Number.POSITIVE_INFINITY, cause: unknown = new Error('driver')) => {
  let calls = 0
  return async (): Promise<string> => {
    order.push('call')
    if (calls++ < times) throw cause
    return 'done'
  }
}
const callsOf = ({ order }: Bench): number => order.filter((one) => one === 'call').length

describe('repetition', () => {
  it('is for the codes whose remedy is retry, four calls at most, looking and changing alike', async () => {
    for (const [code, remedy] of Object.entries(codes) as [Code, string][]) {
      for (const effect of [false, true]) {
        for (const cause of [new Error('driver'), new RotationError(code, 'own', { next: 'x' })]) {
          const one = bench()
          await assert.rejects(guarded(one.guard, call({ effect, classify: () => code }), failing(one, 99, cause)), { code })
          assert.equal(callsOf(one), remedy === 'retry' ? 4 : 1, code)
          assert.equal(one.waits.length, callsOf(one) - 1, 'no pause after the last call')
        }
      }
    }
  })

  it('waits as long as the platform asks, and not at all where that is too long for one invocation', async () => {
    for (const [askedMs, calls] of [
      [7000, 4],
      [30_000, 4],
      [30_001, 1],
    ] as const) {
      const one = bench()
      await assert.rejects(guarded(one.guard, call({ classify: () => 'throttled', askedWaitMs: () => askedMs }), failing(one, 99)))
      assert.deepEqual([callsOf(one), one.waits], [calls, Array.from({ length: calls - 1 }, () => askedMs)])
    }
    const one = bench()
    await assert.rejects(guarded(one.guard, call({ classify: () => 'throttled', askedWaitMs: () => undefined }), failing(one, 99)))
    assert.equal(callsOf(one), 4)
  })

  it('ends with the first success', async () => {
    for (const times of [0, 1, 2, 3]) {
      const one = bench()
      assert.equal(await guarded(one.guard, call(), failing(one, times)), 'done')
      assert.equal(callsOf(one), times + 1)
      assert.equal(one.env.lines.filter(({ code }) => code === 'retry').length, times)
    }
  })

  it('asks the driver about each foreign error, once, and never about our own', async () => {
    const asked: unknown[] = []
    const classify = (cause: unknown): Code => {
      asked.push(cause)
      return asked.length < 3 ? 'target_unreachable' : 'denied'
    }
    const cause = new Error('driver')
    const one = bench()
    await assert.rejects(guarded(one.guard, call({ classify }), failing(one, 99, cause)), { code: 'denied' })
    assert.equal(callsOf(one), 3)
    assert.ok(asked.length === 3 && asked.every((each) => each === cause))
    await assert.rejects(guarded(one.guard, call({ classify }), failing(one, 99, new RotationError('held', 'own', { next: 'x' }))), {
      code: 'held',
    })
    assert.equal(asked.length, 3)
  })

  it('waits longer each time, spread by chance from the environment and by nothing else', async () => {
    const waitsWith = async (byte: number): Promise<readonly number[]> => {
      const one = bench()
      one.env.random = (count) => new Uint8Array(count).fill(byte)
      await assert.rejects(guarded(one.guard, call(), failing(one)))
      assert.equal(one.waits.length, 3)
      return one.waits
    }
    const [low, high] = [await waitsWith(0), await waitsWith(255)]
    for (const [index, base] of [200, 400, 800].entries()) {
      assert.ok((low[index] ?? 0) >= base / 2 && (high[index] ?? 0) <= base && (low[index] ?? 0) < (high[index] ?? 0))
    }
    assert.deepEqual(await waitsWith(0), low)
    assert.equal(new Set(await Promise.all([0, 64, 128, 192].map(async (byte) => (await waitsWith(byte))[0]))).size, 4)
  })
})

describe('audit', () => {
  it('has one intent before and one outcome after, however often the call was repeated', async () => {
    const one = bench()
    const full = call({ effect: true, token: 't', version: 'v', reason: 'r' })
    await guarded(one.guard, full, failing(one, 2))
    assert.deepEqual(one.order, ['intent', 'call', 'call', 'call', 'outcome'])
    const [intent, outcome] = one.records
    const common = { effect: 'store.stage', ref: 'file:db', holder: 'h', token: 't', version: 'v', reason: 'r' }
    const at = intent?.at ?? 0
    const ms = one.waits.reduce((sum, wait) => sum + wait, 0)
    assert.deepEqual(intent, { ...common, at, phase: 'intent' })
    assert.deepEqual(outcome, { ...common, at: at + ms, phase: 'outcome', ok: true, attempts: 3, ms })
  })

  it('records a failure as an outcome, and nothing for a look', async () => {
    const one = bench()
    await assert.rejects(guarded(one.guard, call({ effect: true, classify: () => 'ambiguous' }), failing(one)))
    assert.deepEqual(
      one.records.map(({ phase, ok, code }) => [phase, ok, code]),
      [
        ['intent', undefined, undefined],
        ['outcome', false, 'ambiguous'],
      ],
    )
    const look = bench()
    await guarded(look.guard, call(), failing(look, 1))
    assert.deepEqual(look.records, [])
  })

  it('stops the effect when the intent cannot be written, and leaves no outcome', async () => {
    const one = bench(({ phase }) => {
      if (phase === 'intent') throw new Error('disk full')
    })
    await assert.rejects(guarded(one.guard, call({ effect: true }), failing(one, 0)), { code: 'audit_failed', remedy: 'human' })
    assert.deepEqual(one.order, [])
  })

  it('does not undo, repeat or rename an effect whose outcome cannot be written', async () => {
    const lost = () =>
      bench(({ phase }) => {
        if (phase === 'outcome') throw new Error('disk full')
      })
    const good = lost()
    assert.equal(await guarded(good.guard, call({ effect: true }), failing(good, 0)), 'done')
    const bad = lost()
    await assert.rejects(guarded(bad.guard, call({ effect: true, classify: () => 'conflict' }), failing(bad)), { code: 'conflict' })
    for (const one of [good, bad]) {
      assert.deepEqual(one.order, ['intent', 'call'])
      assert.deepEqual(
        one.env.lines.map(({ code }) => code),
        ['audit_outcome_lost'],
      )
    }
  })
})

describe('the end of the lease', () => {
  const effect = (one: Bench, after: number): Call => call({ effect: true, deadline: one.env.time + after })

  it('comes before any effect, and is not recorded as an intention', async () => {
    for (const after of [0, -1, -1e9]) {
      const one = bench()
      await assert.rejects(guarded(one.guard, effect(one, after), failing(one, 0)), { code: 'conflict' })
      assert.deepEqual(one.order, [])
    }
    const last = bench()
    assert.equal(await guarded(last.guard, effect(last, 1), failing(last, 0)), 'done')
  })

  it('allows a look: it changes nothing', async () => {
    const one = bench()
    assert.equal(await guarded(one.guard, call({ deadline: one.env.time - 1 }), failing(one, 0)), 'done')
  })

  it('allows no repetition whose pause would end after it', async () => {
    const one = bench()
    one.env.random = (count) => new Uint8Array(count) // pauses of 100, 200 and 400 ms
    await assert.rejects(guarded(one.guard, effect(one, 301), failing(one)), { code: 'unavailable' })
    assert.deepEqual([callsOf(one), one.waits], [3, [100, 200]])
    const edge = bench()
    edge.env.random = one.env.random
    await assert.rejects(guarded(edge.guard, effect(edge, 300), failing(edge)), { code: 'unavailable' })
    assert.deepEqual([callsOf(edge), edge.waits], [2, [100]])
  })

  it('allows no repetition after a pause that took longer than it should: the process was suspended', async () => {
    const one = bench()
    one.env.sleep = async () => {
      one.env.time += 3_600_000
    }
    await assert.rejects(guarded(one.guard, effect(one, 60_000), failing(one, 1)))
    assert.equal(callsOf(one), 1)
  })

  it('allows no effect after an intent record that took longer than the lease', async () => {
    const one = bench(({ phase }, env) => {
      if (phase === 'intent') env.time += 3_600_000
    })
    await assert.rejects(guarded(one.guard, effect(one, 60_000), failing(one, 0)), { code: 'conflict' })
    assert.equal(callsOf(one), 0)
  })
})

describe('an interruption', () => {
  it('stops before the next effect, says so, and lets looks through', async () => {
    const one = bench()
    one.env.abort.abort()
    await assert.rejects(guarded(one.guard, call({ effect: true }), failing(one, 0)), { code: 'held' })
    assert.deepEqual(one.order, [])
    assert.equal(await guarded(one.guard, call(), failing(one, 0)), 'done')
  })

  it('during a call ends the repetition', async () => {
    const one = bench()
    const act = failing(one)
    const interrupted = async (): Promise<string> => {
      one.env.abort.abort()
      return act()
    }
    await assert.rejects(guarded(one.guard, call({ effect: true }), interrupted), { code: 'unavailable' })
    assert.deepEqual(one.order, ['intent', 'call', 'outcome'])
  })

  it('during a pause ends the repetition: the pause ends early, the effect does not start again', async () => {
    const one = bench()
    one.env.sleep = async () => one.env.abort.abort()
    await assert.rejects(guarded(one.guard, call({ effect: true }), failing(one, 1)))
    assert.deepEqual(one.order, ['intent', 'call', 'outcome'])
  })
})
