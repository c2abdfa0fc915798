import assert from 'node:assert/strict'
import { byHand, first, type Walk, type Way } from '../../harness/runbook-walk.js'

const hourMs = 3_600_000
const why = ['--emergency', '--reason', 'test']

async function rotatedPair(walk: Walk, ...policy: readonly string[]): Promise<void> {
  await walk.adopted('b', 'grace=1h', ...policy)
  await walk.run('rotate')
}

/** The states of a rotation, and what holds the next one. */
export const waysOfRotations: Readonly<Record<string, Way>> = {
  idle: async (walk) => {
    await walk.adopted()
    await walk.run('rotate')
    const { version } = await walk.run('status')
    await walk.out('rotate')
    assert.notEqual((await walk.run('status')).version, version)
    await walk.well()
  },
  'not adopted': async (walk) => {
    await walk.stored()
    await walk.fails('bad_policy', 'adopt')
    await walk.run('policy', 'every=90d')
    await walk.fails('bad_policy', 'rotate')
    await walk.out('adopt', ['rotator=memory-a'])
    await walk.run('rotate')
    await walk.well()
  },
  'adopted, never rotated': async (walk) => {
    await walk.adopted()
    assert.equal((await walk.run('status')).previous, null)
    await walk.out('rotate')
    assert.notEqual((await walk.run('status')).previous, null)
    await walk.well()
  },
  'open, nobody holds it': async (walk) => {
    await walk.adopted()
    await walk.run('rotate', '--step', 'create')
    const { open, leaseUntil } = await walk.run('status')
    assert.deepEqual([open, leaseUntil], [true, null])
    await walk.out('rotate', ['--resume'])
    await walk.well()
  },
  'open, another process holds it': async (walk) => {
    await walk.adopted()
    await walk.other(walk.value('made-elsewhere-0123456789'), { leaseMs: 600_000 })
    await walk.fails('locked', 'rotate')
    walk.later(700_000)
    await walk.out('rotate', ['--resume'])
    await walk.well()
  },
  'open, a put whose value was never stored': async (walk) => {
    await walk.adopted()
    await walk.other(undefined, { kind: 'put' })
    walk.later(1000)
    assert.equal((await walk.state()).journal?.rotation?.published, undefined)
    await walk.out('put', [], JSON.stringify({ ...JSON.parse(walk.value()), note: 'again' }))
    assert.match(await walk.keyturn.value(walk.name), /again/)
    await walk.well()
  },
  'held by pause': async (walk) => {
    await walk.adopted('a', 'mode=paused')
    assert.match((await walk.fails('held', 'rotate')).next, /keyturn policy \S+ mode=auto/)
    await walk.out('policy', ['mode=auto'])
    await walk.run('rotate')
    await walk.well()
  },
  'held by the window': async (walk) => {
    const day = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date(walk.keyturn.clock?.now() ?? 0).getUTCDay() + 3) % 7]
    await walk.adopted('a', `window=${day} 02:00-03:00 UTC`)
    assert.match((await walk.fails('held', 'rotate')).next, /keyturn status file:/)
    await walk.out('rotate', why)
    await walk.well()
  },
  'held by a freeze': async (walk) => {
    await walk.adopted()
    await walk.configured({ freezes: [{ from: '2020-01-01T00:00:00Z', to: '2090-01-01T00:00:00Z', reason: 'the fair' }] })
    assert.match((await walk.fails('held', 'rotate')).message, /freeze until/)
    await walk.out('rotate', why)
    await walk.well()
  },
  'held by grace': async (walk) => {
    await rotatedPair(walk)
    assert.match((await walk.fails('held', 'rotate')).message, /stays valid for another/)
    walk.later(2 * hourMs)
    await walk.out('rotate')
    await walk.well()
  },
  'held, a credential is being retired': async (walk) => {
    await rotatedPair(walk)
    const [entry] = (await walk.state()).journal?.retiring ?? []
    assert.ok(entry)
    await walk.note({ retiring: [{ ...entry, state: 'armed', holder: 'dead', leaseUntil: 0 }] })
    assert.match((await walk.fails('held', 'rollback', '--reason', 'test')).next, /keyturn retire file:/)
    await walk.out('retire')
    assert.deepEqual((await walk.state()).journal?.retiring, [])
    await walk.well()
  },
  'retiring: undeclared': async (walk) => {
    await rotatedPair(walk)
    assert.equal((await walk.state()).journal?.retiring[0]?.state, 'undeclared')
    await walk.out('revoke', ['--now', '--reason', 'it leaked'])
    assert.deepEqual((await walk.state()).journal?.retiring, [])
    assert.equal(walk.target.accounts.get('app_a'), '')
    await walk.well()
  },
  ...Object.fromEntries(
    (['armed', 'disabled'] as const).map((state): [string, Way] => [
      `retiring: ${state}`,
      async (walk) => {
        await rotatedPair(walk)
        const [entry] = (await walk.state()).journal?.retiring ?? []
        assert.ok(entry)
        await walk.note({ retiring: [{ ...entry, state, holder: 'dead', leaseUntil: 0 }] })
        walk.later(2 * hourMs)
        await walk.out('retire')
        assert.deepEqual((await walk.state()).journal?.retiring, [])
        await walk.well()
      },
    ]),
  ),
  'from the future': async (walk) => {
    await walk.adopted('b', 'grace=1h')
    walk.later(48 * hourMs)
    await walk.run('rotate')
    walk.later(-48 * hourMs)
    assert.notEqual((await walk.run('status')).aheadMs, null)
    await walk.out('retire')
    assert.equal((await walk.run('status')).aheadMs, null)
    walk.later(2 * hourMs)
    await walk.run('rotate')
    await walk.well()
  },
  'leftover of an older rotation': async (walk) => {
    await walk.adopted()
    await walk.other(walk.value('never-set-0123456789'), { token: 'token-of-the-first-0123456789abcdef0' })
    walk.later(1000)
    await walk.other(JSON.stringify({ ...JSON.parse(walk.value()), note: 'past us' }), {
      publish: true,
      token: 'token-of-another-0123456789abcdef00',
    })
    assert.equal((await walk.state()).loose.length, 1)
    await walk.out('rotate', ['--resume'])
    assert.deepEqual((await walk.state()).loose, [])
    await walk.well()
  },
  'stuck, the password was changed past Keyturn': async (walk) => {
    await walk.adopted()
    await walk.stuck()
    const { error } = (await walk.said('recover')) as { error: { code: string; next: string } }
    assert.equal(error.code, 'stuck')
    assert.match(error.next, /keyturn put file:/)
    const before = await walk.keyturn.bytesOf(walk.name)
    await walk.keyturn.fails(['put', walk.ref], 'target_auth', 'value', { stdin: walk.value('a-typo-0123456789') })
    assert.equal(await walk.keyturn.bytesOf(walk.name), before)
    await walk.out('put', [], walk.value(byHand))
    assert.equal(await walk.code(), null)
    await walk.run('rotate')
    await walk.well()
  },
  'stuck, the target accepts an older stored value': async (walk) => {
    await walk.adopted()
    await walk.run('rotate')
    await walk.stuck()
    walk.target.accounts.set('app_a', first)
    await walk.out('recover', ['--yes'])
    assert.equal(await walk.code(), null)
    await walk.well()
  },
  'stuck, the target accepts the pending value': async (walk) => {
    await walk.adopted()
    await walk.stuck()
    const { pending } = await walk.state()
    assert.ok(pending)
    const { password } = JSON.parse(await walk.read(pending.id)) as { password: string }
    walk.target.accounts.set('app_a', password)
    await walk.out('recover', ['--yes'])
    assert.equal(await walk.code(), null)
    await walk.well()
  },
  'stuck, the target refused three values': async (walk) => {
    await walk.adopted()
    walk.target.refuseNext = 3
    await walk.fails('stuck', 'rotate')
    await walk.out('adopt')
    assert.equal(await walk.code(), null)
    await walk.run('rotate')
    await walk.well()
  },
  'stuck, many refused versions': async (walk) => {
    await walk.adopted()
    for (let wrong = 0; wrong < 5; wrong++) {
      walk.later(1000)
      await walk.other(walk.value(`wrong-${wrong}-0123456789`), { publish: true, token: `token-of-wrong-${wrong}-0123456789abcdef000` })
    }
    const body = await walk.said('recover', '--yes')
    assert.deepEqual([body.done, Number(body.left) > 0], [false, true])
    assert.match(JSON.stringify(body.error), /keyturn recover file:\S+ --after /)
    await walk.out('recover', ['--after', String(body.after), '--yes'])
    await walk.well()
  },
}
