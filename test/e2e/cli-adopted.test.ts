import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { adminPassword, firstPassword, makeRole, startServer, valueFor } from '../harness/cli-postgres.js'
import { type Body, Keyturn } from '../harness/cli-process.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { binariesOf, type PostgresServer, removeCopies } from '../harness/postgres-server.js'

const program = new URL('../../cli/main.js', import.meta.url)
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

describe('a secret that nobody adopted is not rotated by hand', { skip }, () => {
  let server: PostgresServer
  let keyturn: Keyturn
  before(async () => {
    server = await startServer()
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
  })
  after(async () => {
    await keyturn?.close()
    await server?.stop()
    await removeCopies()
  })
  const put = async (name: string): Promise<void> => {
    await makeRole(server, name, firstPassword)
    await keyturn.ok(['put', `file:${name}`], { stdin: valueFor(server, name, firstPassword) })
  }
  const planOf = async (ref: string): Promise<Body | undefined> =>
    ((await keyturn.ok(['plan'])).secrets as Body[]).find((line) => line.ref === ref)

  it('rotate and an emergency: refused before anything is touched, and the next step is named', async () => {
    await put('untold')
    const before_ = await keyturn.bytesOf('untold')
    for (const more of [[], ['--emergency', '--reason', 'leak'], ['--step', 'create']]) {
      const { message, next } = await keyturn.fails(['rotate', 'file:untold', ...more], 'bad_policy', 'keyturn-rotator')
      assert.match(message, /file:untold was not adopted/)
      assert.match(next, /keyturn adopt file:untold first.*keyturn rotate file:untold --rotator/)
    }
    assert.equal(await keyturn.bytesOf('untold'), before_)
    assert.ok(await logsIn(server, 'untold', firstPassword))
    for (const words of [
      ['status', 'file:untold'],
      ['rotate', 'file:untold', '--dry-run'],
    ]) {
      const { next } = (await keyturn.ok(words)) as { next: Body }
      assert.deepEqual([next.do, next.code], ['refuse', 'bad_policy'])
      assert.match(String(next.why), /not adopted/)
    }
  })

  it('a policy that names no rotator is not an adoption: plan says so, and a sweep starts nothing', async () => {
    await put('tagged')
    await keyturn.ok(['policy', 'file:tagged', 'every=1d'])
    keyturn.clock?.setAhead(3 * 86_400_000)
    await keyturn.fails(['rotate', 'file:tagged'], 'bad_policy', 'keyturn-rotator')
    const line = await planOf('file:tagged')
    assert.deepEqual([line?.rotation, ((line?.due ?? []) as string[]).includes('start')], ['refused', false])
    assert.match(String(line?.why), /not adopted/)
    const done = (await keyturn.ok(['sweep'])).actions as Body[]
    assert.deepEqual(
      done.filter(({ action }) => action === 'start' || action === 'check'),
      [],
    )
    assert.deepEqual((await keyturn.ok(['rotate', '--all'])).rotated, [])
    assert.ok(await logsIn(server, 'tagged', firstPassword))
  })

  it('put, rollback and recover work as before; after adopt the same rotate starts', async () => {
    await put('later')
    await keyturn.ok(['put', 'file:later'], { stdin: valueFor(server, 'later', firstPassword, { note: 'second' }) })
    assert.equal((await keyturn.ok(['rollback', 'file:later', '--reason', 'again'])).outcome, 'published')
    assert.equal(((await keyturn.ok(['recover', 'file:later'])).action as Body).do, 'nothing')
    await keyturn.ok(['adopt', 'file:later'])
    keyturn.clock?.setAhead(2 * 3_600_000)
    assert.equal((await keyturn.ok(['rotate', 'file:later'])).outcome, 'published')
  })

  it('--rotator names the kind for one rotation, and writes no policy', async () => {
    await put('once')
    await keyturn.fails(['rotate', 'file:once', '--rotator', 'postgre'], 'bad_policy', 'keyturn-rotator')
    assert.ok(await logsIn(server, 'once', firstPassword))
    assert.equal((await keyturn.ok(['rotate', 'file:once', '--rotator', 'postgres'])).outcome, 'published')
    assert.deepEqual((await keyturn.look('once')).policy, {})
    assert.ok(await logsIn(server, 'once', await keyturn.password('once')))
    await keyturn.fails(['rotate', 'file:once'], 'bad_policy', 'keyturn-rotator')
  })

  it('--rotator also names a kind that the value does not say', async () => {
    await keyturn.ok(['put', 'file:key'], { stdin: 'a-key-0123456789-0123456789-0123456789' })
    assert.equal((await keyturn.ok(['rotate', 'file:key', '--rotator', 'random'])).outcome, 'published')
    assert.notEqual(await keyturn.value('key'), 'a-key-0123456789-0123456789-0123456789')
  })

  it('--rotator beside a policy that names one is refused', async () => {
    await keyturn.fails(['rotate', 'file:later', '--rotator', 'random'], 'bad_event', 'rotator')
  })

  it('an incoming login without a session: the test fails with its code, the value is kept, and is published once it logs in', async () => {
    await keyturn.ok(['put', 'file:admin'], { stdin: valueFor(server, 'keyturn_admin', adminPassword) })
    await put('pair_a')
    await makeRole(server, 'pair_b', firstPassword)
    await asSuper(server, 'grant pair_a to pair_b')
    await keyturn.ok(['adopt', 'file:pair_a', 'strategy=alternate', 'pair=pair_a pair_b', 'admin=file:admin', 'differences=report'])
    await asSuper(server, 'alter role pair_b connection limit 0')
    keyturn.clock?.setAhead(2 * 3_600_000)
    await keyturn.fails(['rotate', 'file:pair_a'], 'target_unreachable')
    const { pending, code } = await keyturn.ok(['status', 'file:pair_a'])
    assert.deepEqual([typeof pending, code], ['string', null], 'kept, and not stuck')
    await asSuper(server, 'alter role pair_b connection limit -1')
    assert.equal((await keyturn.ok(['rotate', 'file:pair_a', '--resume'])).version, pending)
  })
})
