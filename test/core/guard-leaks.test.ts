import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { RotationError } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { type AuditRecord, createGuard, createRedactor, type Guard, guarded } from '../../shared/lifecycle/guard/index.js'
import { FakeEnv } from '../harness/fake-env.js'

const canary = 'p"%\'\\ü-\u{1f511}x'
const json = JSON.stringify(canary).slice(1, -1)
const quoted = canary.replaceAll("'", "''")
const base64 = (before: string): string => Buffer.from(`${before}${canary} and more`).toString('base64')
/** As it stands in a message, and the part by which it would be found there. */
const written: readonly (readonly [shown: string, piece: string])[] = [
  [canary, canary],
  [encodeURIComponent(canary), encodeURIComponent(canary)],
  [json, json],
  [quoted, quoted],
  ...['', 'u', 'u:'].map((before): readonly [string, string] => {
    const text = base64(before)
    return [text, text.slice(4, 16)]
  }),
]
const message = `syntax error near "${written.map(([shown]) => shown).join('" or "')}" at character 5`

const everything = (error: unknown): string => {
  const chain: string[] = []
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const own = Object.entries(Object.getOwnPropertyDescriptors(each)).map(([name, { value }]) => `${name}=${String(value)}`)
    chain.push(String(each), each.message, each.stack ?? '', JSON.stringify(each), ...own)
  }
  return [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error), ...chain].join('\n')
}
const assertClean = (text: string): void => {
  // Inspection escapes once more what it prints in quotes, so the pieces are looked for in that spelling too.
  for (const [, piece] of written)
    for (const spelling of [piece, JSON.stringify(piece).slice(1, -1), inspect(piece).slice(1, -1)])
      assert.ok(!text.includes(spelling), spelling)
}

function bench(): { guard: Guard; env: FakeEnv; records: AuditRecord[] } {
  const [env, records]: [FakeEnv, AuditRecord[]] = [new FakeEnv(), []]
  const guard = createGuard({ env, audit: { write: async (record) => void records.push(record) }, redactor: createRedactor(), holder: 'h' })
  guard.redactor.learn({ password: new SecretText(canary) })
  return { guard, env, records }
}
async function caught({ guard }: { guard: Guard }, cause: unknown, reason?: string): Promise<RotationError> {
  const act = async (): Promise<never> => {
    throw cause
  }
  const call = {
    name: 'postgres.apply',
    ref: 'file:db',
    effect: true,
    classify: () => 'denied' as const,
    ...(reason === undefined ? {} : { reason }),
  }
  const error = await guarded(guard, call, act).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof RotationError)
  return error
}

const driverError = (): Error =>
  Object.assign(new Error(message), {
    code: '42601',
    query: `ALTER ROLE app PASSWORD '${quoted}'`,
    detail: message,
    hint: json,
    config: { url: `postgres://u:${encodeURIComponent(canary)}@h/d`, nested: [{ password: canary }] },
    toJSON: () => ({ message, canary }),
    [Symbol('options')]: canary,
  })

describe('an error of a driver', () => {
  it('is found by these checks where nothing is redacted', () => {
    const shown = everything(driverError())
    for (const [, piece] of written) assert.ok(shown.includes(piece), piece)
  })

  it('leaves the guard with no form of the value: message, cause, stack, inspection, JSON', async () => {
    const one = bench()
    const error = await caught(one, driverError())
    assertClean(everything(error))
    assert.match(error.message, /^postgres\.apply of file:db failed: syntax error near "\[secret\]/)
    assert.ok(error.cause instanceof Error)
    assert.deepEqual([error.code, error.cause.name, (error.cause as { code?: string }).code], ['denied', 'Error', '42601'])
    assert.deepEqual(Reflect.ownKeys(error.cause).sort(), ['code', 'message', 'name', 'stack'])
    assertClean(JSON.stringify([one.records, one.env.lines]))
  })

  it('may be anything that can be thrown', async () => {
    for (const cause of [
      message,
      { message, canary },
      new Map([[canary, canary]]),
      new SecretText(canary),
      null,
      undefined,
      5,
      Symbol('x'),
    ])
      assertClean(everything(await caught(bench(), cause)))
  })

  it('may hide the value in its own cause, or in the errors that it gathers', async () => {
    assertClean(everything(await caught(bench(), new Error('outer', { cause: driverError() }))))
    assertClean(everything(await caught(bench(), new AggregateError([driverError(), new Error(canary)], message))))
  })

  it('has its name and its code cleaned: a hostile server chooses its code', async () => {
    assertClean(everything(await caught(bench(), Object.assign(new Error('x'), { code: canary }))))
    assertClean(everything(await caught(bench(), Object.assign(new Error('x'), { name: canary }))))
  })
})

describe('an error of our own', () => {
  it('keeps code, field and next step, and loses the value and what its cause carried', async () => {
    const own = new RotationError('bad_value', `holds ${message}`, { next: `remove ${message}`, field: 'password', cause: driverError() })
    const error = await caught(bench(), own)
    assertClean(everything(error))
    assert.deepEqual([error.code, error.field, error.next.slice(0, 7)], ['bad_value', 'password', 'remove '])
    assert.ok(error.cause instanceof Error && !('query' in error.cause))
  })

  it('is as good when it is wrapped again', async () => {
    const one = bench()
    const twice = await caught(one, await caught(one, driverError()))
    assertClean(everything(twice))
    assert.equal(twice.code, 'denied')
    assert.ok(twice.cause instanceof Error && twice.cause.cause === undefined)
  })
})

describe('what is written down', () => {
  it('does not hold the value: the reason that a person gave, the log of a lost record', async () => {
    const one = bench()
    await caught(one, driverError(), `because ${message}`)
    assert.equal(one.records.length, 2)
    assertClean(JSON.stringify(one.records))
    const env = new FakeEnv()
    const write = async ({ phase }: AuditRecord): Promise<void> => {
      if (phase === 'outcome') throw new Error(message)
    }
    const guard = createGuard({ env, audit: { write }, redactor: one.guard.redactor, holder: 'h' })
    await caught({ guard }, driverError())
    assert.deepEqual(
      env.lines.map(({ code }) => code),
      ['audit_outcome_lost'],
    )
    assertClean(JSON.stringify(env.lines))
  })
})
