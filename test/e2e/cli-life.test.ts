import assert from 'node:assert/strict'
import { chmod, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { adminPassword, firstPassword, makeRole, setPassword, startServer, valueFor } from '../harness/cli-postgres.js'
import { type Body, Keyturn } from '../harness/cli-process.js'
import { freshLog, settledLog } from '../harness/pg-log.js'
import { asUser, logsIn } from '../harness/postgres-client.js'
import { binariesOf, type PostgresServer, removeCopies } from '../harness/postgres-server.js'

const program = new URL('../../cli/main.js', import.meta.url)
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

/** docs/cli.md: the fields of each answer, beside ok. */
const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  verify: ['ref', 'rotator', 'proof', 'passwordAccepted', 'logsIn', 'expiresAt'],
  adopt: ['ref', 'rotator', 'proof', 'passwordAccepted', 'logsIn', 'expiresAt', 'rewrites', 'shared', 'stale', 'outlook', 'made'],
  get: ['ref', 'version', 'previous', 'pending', 'publishedAt', 'policy'],
  status:
    'ref rotator type proof strategy version previous publishedAt aheadMs nextAt drift pending open token leaseUntil code graceMs announced consumers retiring move rewrites shared stale outlook next'.split(
      ' ',
    ),
  rotate: 'ref outcome kind token version previous steps differences rewrote windowMs announced consumers'.split(' '),
}
const hasFields = (body: Body, fields: readonly string[]): void => assert.deepEqual(Object.keys(body).sort(), ['ok', ...fields].sort())

describe('a whole life on a real PostgreSQL', { skip }, () => {
  let server: PostgresServer
  let keyturn: Keyturn
  before(async () => {
    server = await startServer()
    keyturn = await Keyturn.open(program)
  })
  after(async () => {
    await keyturn?.close()
    await server?.stop()
    await removeCopies()
  })

  /** The human form: an answer on stdout that is no JSON, exit 0. */
  const tells = async (words: readonly string[], pattern: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await keyturn.run(words)
    assert.equal(code, 0, stderr)
    assert.match(stdout, pattern)
    assert.match(stdout, /^[^{].*\n$/s)
    assert.doesNotMatch(stderr, /^keyturn:/m)
  }

  it('init: a folder and a key for their owner only; again: refused, and the key stays', async () => {
    const body = await keyturn.ok(['init'])
    hasFields(body, ['home', 'keyFile'])
    assert.equal((await stat(keyturn.home)).mode & 0o777, 0o700)
    assert.equal((await stat(String(body.keyFile))).mode & 0o777, 0o600)
    const before_ = await keyturn.kept()
    await keyturn.fails(['init'], 'exists')
    const { code, stdout, stderr } = await keyturn.run(['init'])
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, /^keyturn: exists: .+\n.+\n$/)
    assert.deepEqual(await keyturn.kept(), before_)
    await tells(['list'], /No secrets yet/)
  })

  it('put: from stdin and from a file; what comes next is said', async () => {
    const admin = await keyturn.ok(['put', 'file:pg-admin'], { stdin: valueFor(server, 'keyturn_admin', adminPassword) })
    hasFields(admin, ['ref', 'outcome', 'next'])
    assert.deepEqual([admin.outcome, admin.next], ['created', 'keyturn adopt file:pg-admin'])
    await tells(['put', 'file:db', '-f', await keyturn.file(valueFor(server, 'app_a', firstPassword))], /file:db is stored/)
    assert.equal(await keyturn.password('db'), firstPassword)
  })

  it('adopt: a pair that acts as one role; nothing is changed at the server', async () => {
    await freshLog(server)
    const adopted = await keyturn.ok(['adopt', 'file:db', 'strategy=alternate', 'pair=app_a app_b', 'admin=file:pg-admin'])
    hasFields(adopted, fieldsOf.adopt ?? [])
    assert.deepEqual([adopted.rotator, adopted.logsIn], ['postgres', true])
    await tells(['adopt', 'file:db', 'owner=team a'], /file:db .*postgres.*keyturn rotate file:db/)
    assert.equal((await settledLog(server)).match(/connection authorized: user=app_a/g)?.length, 2)
    assert.ok(await logsIn(server, 'app_a', firstPassword))
  })

  it('status, get, list, policy, verify and a dry run tell where it stands, in both forms, and write nothing', async () => {
    const before_ = await keyturn.kept()
    const status = await keyturn.ok(['status', 'file:db'])
    hasFields(status, fieldsOf.status ?? [])
    assert.deepEqual([status.rotator, status.strategy, status.graceMs, status.open], ['postgres', 'alternate', 3_600_000, false])
    await tells(
      ['status', 'file:db'],
      /^file:db {2}postgres \(database\) · alternate\ncurrent .*\nstate +idle\nnext .*keyturn rotate file:db/,
    )
    const dry = await keyturn.ok(['rotate', 'file:db', '--dry-run'])
    hasFields(dry, fieldsOf.status ?? [])
    assert.deepEqual(dry.next, { do: 'go', row: '28', from: 'create' })
    await tells(['rotate', 'file:db', '--dry-run'], /^file:db: a rotation would start/)
    const got = await keyturn.ok(['get', 'db'])
    hasFields(got, fieldsOf.get ?? [])
    assert.deepEqual([got.ref, got.previous, got.pending], ['file:db', null, null])
    assert.match(String(got.publishedAt), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    await tells(['get', 'file:db'], /^ref +file:db\n/)
    const { secrets, ...rest } = await keyturn.ok(['list'])
    hasFields(rest, [])
    assert.deepEqual(
      (secrets as Body[]).map(({ ref, state }) => [ref, state]),
      [
        ['file:db', 'idle'],
        ['file:pg-admin', 'idle'],
      ],
    )
    assert.equal(((await keyturn.ok(['list', '--managed'])).secrets as Body[]).length, 1)
    await tells(['list'], /^SECRET +ROTATOR +TYPE +STATE +AGE +NEXT\nfile:db +postgres +database +idle +\d+s +-$/m)
    assert.deepEqual((await keyturn.ok(['list', '--due'])).secrets, [])
    await tells(['list', '--due'], /^Nothing is due\.$/m)
    const policy = await keyturn.ok(['policy', 'file:db'])
    hasFields(policy, ['ref', 'policy'])
    assert.equal((policy.policy as Body)['keyturn-owner'], 'team a')
    await tells(['policy', 'file:db'], /^keyturn-admin=file:pg-admin$/m)
    hasFields(await keyturn.ok(['verify', 'file:db']), fieldsOf.verify ?? [])
    await tells(['verify', 'file:db'], /file:db.*logs in.*postgres/)
    assert.deepEqual(await keyturn.kept(), before_)
  })

  it('rotate: the other login becomes current and acts as the same role; the first stays valid', async () => {
    const before_ = await keyturn.look('db')
    const rotated = await keyturn.ok(['rotate', 'file:db'])
    hasFields(rotated, fieldsOf.rotate ?? [])
    assert.deepEqual([rotated.outcome, rotated.kind, rotated.previous], ['published', 'rotate', before_.current])
    assert.deepEqual([rotated.steps, rotated.differences, rotated.windowMs], [['create', 'set', 'test', 'finish'], [], null])
    const { username, password } = JSON.parse(await keyturn.value('db')) as Record<string, string>
    assert.equal(username, 'app_b')
    const who = await asUser<{ me: string }>(server, 'app_b', password ?? '', 'select current_user as me')
    assert.equal(who[0]?.me, 'app_owner')
    assert.ok(await logsIn(server, 'app_a', firstPassword))
  })

  it('rotate again: held within grace, exit 3, in both forms; the time is named and nothing is written', async () => {
    const before_ = await keyturn.kept()
    const error = await keyturn.fails(['rotate', 'file:db'], 'held')
    assert.equal(error.remedy, 'wait')
    assert.match(error.message, /another \d+m/)
    const { code, stdout, stderr } = await keyturn.run(['rotate', 'file:db'])
    assert.deepEqual([code, stdout], [3, ''])
    assert.match(stderr, /^keyturn: held: file:db: .+\n.*--emergency --reason/m)
    await tells(['rotate', 'file:db', '--dry-run'], /would be refused: held/)
    assert.equal(((await keyturn.ok(['status', 'file:db'])).next as Body).code, 'held')
    assert.deepEqual(await keyturn.kept(), before_)
  })

  it('--emergency needs a reason, passes the grace, and the reason is in the audit log', async () => {
    const before_ = await keyturn.kept()
    await keyturn.fails(['rotate', 'file:db', '--emergency'], 'bad_event', 'reason')
    await keyturn.fails(['rotate', 'file:db', '--emergency', '--reason', ''], 'bad_event', 'reason')
    assert.deepEqual(await keyturn.kept(), before_)
    const passed = await keyturn.ok(['rotate', 'file:db', '--emergency', '--reason', 'a laptop is gone; ticket 4711'])
    assert.deepEqual([passed.outcome, passed.kind], ['published', 'emergency'])
    const reasons = (await keyturn.records()).filter(({ reason }) => reason === 'a laptop is gone; ticket 4711')
    assert.deepEqual(
      reasons.map(({ phase, token }) => [phase, token]),
      [
        ['intent', passed.token],
        ['outcome', passed.token],
      ],
    )
    assert.ok(!(await logsIn(server, 'app_a', firstPassword)), 'the outgoing login of before has its new password')
    assert.ok(await logsIn(server, 'app_a', await keyturn.password('db')))
  })

  it('every effect has its two records, and each record names what docs/cli.md says', async () => {
    const records = await keyturn.records()
    for (const effect of ['store.claim', 'store.stage', 'postgres.apply', 'store.publish']) {
      const phases = records.filter((record) => record.effect === effect).map(({ phase }) => phase)
      assert.ok(phases.length >= 4)
      assert.deepEqual(new Set(phases).size, 2)
    }
    for (const record of records) for (const key of ['at', 'phase', 'effect', 'ref', 'holder']) assert.ok(key in record, key)
    assert.equal((await stat(keyturn.audit)).mode & 0o077, 0)
  })

  it('policy: changes and takes away, with and without the prefix; a value with blanks is one value', async () => {
    const changed = await keyturn.ok(['policy', 'file:db', 'grace=2h', 'keyturn-window=sat sun 02:00-05:00 Europe/Berlin'])
    assert.equal((changed.policy as Body)['keyturn-window'], 'sat sun 02:00-05:00 Europe/Berlin')
    assert.equal((await keyturn.ok(['status', 'file:db'])).graceMs, 7_200_000)
    await tells(['policy', 'file:db', 'window=', 'grace='], /^(?!.*window)/s)
    assert.equal((await keyturn.ok(['status', 'file:db'])).graceMs, 3_600_000)
  })

  it('step by step, each in a process of its own and each twice, with a token of its own', async () => {
    await makeRole(server, 'stepper', firstPassword)
    await keyturn.ok(['put', 'file:steps'], { stdin: valueFor(server, 'stepper', firstPassword) })
    await keyturn.ok(['adopt', 'file:steps'])
    const before_ = await keyturn.look('steps')
    const token = ['--token', 'a-token-of-this-test-0123456789-abcdef']
    await keyturn.fails(['rotate', 'file:steps', '--step', 'finish', ...token], 'bad_event', 'step')
    for (const step of ['create', 'set', 'test']) {
      const first = await keyturn.ok(['rotate', 'file:steps', '--step', step, ...token])
      assert.deepEqual([first.outcome, first.steps], ['step', [step]])
      await keyturn.ok(['rotate', 'file:steps', '--step', step, ...token])
      const { current, previous, versions } = await keyturn.look('steps')
      assert.deepEqual([current, previous, versions], [before_.current, null, before_.versions], `${step} published something`)
      assert.equal((await keyturn.ok(['status', 'file:steps'])).open, true)
    }
    const published = await keyturn.ok(['rotate', 'file:steps', '--step', 'finish', ...token])
    assert.equal(published.outcome, 'published')
    assert.equal((await keyturn.ok(['rotate', 'file:steps', '--step', 'finish', ...token])).outcome, 'unchanged')
    assert.equal((await keyturn.ok(['rotate', 'file:steps', ...token])).outcome, 'unchanged')
    assert.equal((await keyturn.ok(['rotate', 'file:steps', '--resume'])).outcome, 'unchanged')
    assert.equal((await keyturn.look('steps')).current, published.version)
    assert.ok(await logsIn(server, 'stepper', await keyturn.password('steps')))
  })

  it('step by step without a token: a repeated step does no harm and is no mistake, finish included', async () => {
    for (const step of ['create', 'set', 'test', 'finish']) await keyturn.ok(['rotate', 'file:steps', '--step', step])
    const { current } = await keyturn.look('steps')
    const again = await keyturn.json(['rotate', 'file:steps', '--step', 'finish'])
    assert.equal((await keyturn.look('steps')).current, current)
    assert.equal(again.code, 0, `rotate --help says that each step may be repeated: ${JSON.stringify(again.error)}`)
  })

  it('put of a new value after a change by hand: kept, tested, published; never set', async () => {
    await makeRole(server, 'byhand', firstPassword)
    await keyturn.ok(['put', 'file:hand'], { stdin: valueFor(server, 'byhand', firstPassword) })
    await keyturn.ok(['adopt', 'file:hand'])
    await setPassword(server, 'byhand', 'Changed-by-hand-0123456789')
    await keyturn.fails(['verify', 'file:hand'], 'target_auth')
    const before_ = (await keyturn.records()).length
    const put = await keyturn.ok(['put', 'file:hand'], { stdin: valueFor(server, 'byhand', 'Changed-by-hand-0123456789') })
    hasFields(put, ['ref', 'outcome', 'version'])
    assert.equal(put.outcome, 'published')
    const effects = (await keyturn.records()).slice(before_).map(({ effect, phase }) => `${effect} ${phase}`)
    const both = (effect: string) => [`${effect} intent`, `${effect} outcome`]
    assert.deepEqual(effects, [...both('store.claim'), ...both('store.stage'), ...both('store.publish'), ...both('store.note')])
    assert.equal((await keyturn.look('hand')).current, put.version)
    assert.equal((await keyturn.ok(['verify', 'file:hand'])).logsIn, true)
  })

  it('put of a wrong value: refused with exit 4, nothing published, the current one works, the next rotation too', async () => {
    const before_ = await keyturn.look('hand')
    const wrong = valueFor(server, 'byhand', 'Never-set-anywhere-0123456789')
    const error = await keyturn.fails(['put', 'file:hand'], 'target_auth', 'value', { stdin: wrong })
    assert.equal(error.remedy, 'human')
    assert.deepEqual(await keyturn.look('hand'), before_)
    assert.equal((await keyturn.run(['put', 'file:hand'], { stdin: wrong })).code, 4)
    assert.deepEqual(await keyturn.look('hand'), before_)
    assert.equal((await keyturn.ok(['verify', 'file:hand'])).logsIn, true)
    assert.equal((await keyturn.ok(['rotate', 'file:hand'])).outcome, 'published')
  })

  it('verify and adopt with a refused value: the next step is another command than the one that just ran', async () => {
    await makeRole(server, 'elsewhere', 'The-real-password-0123456789')
    await keyturn.ok(['put', 'file:refused'], { stdin: valueFor(server, 'elsewhere', firstPassword) })
    const before_ = await keyturn.bytesOf('refused')
    const verify = await keyturn.fails(['verify', 'file:refused'], 'target_auth')
    await keyturn.fails(['adopt', 'file:refused'], 'target_auth')
    assert.equal(await keyturn.bytesOf('refused'), before_)
    assert.doesNotMatch(verify.next, /keyturn verify/, 'verify sends to verify')
  })

  it('get --output-file: mode 0600 whatever the mask, never over a file that is there, not into a missing folder', async () => {
    const path = join(keyturn.folder, 'given.json')
    const body = await keyturn.ok(['get', 'file:db', '--output-file', path])
    hasFields(body, [...(fieldsOf.get ?? []), 'file'])
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    const text = await readFile(path, 'utf8')
    await chmod(path, 0o644)
    await keyturn.fails(['get', 'file:db', '--output-file', path], 'bad_event', 'output-file')
    assert.deepEqual([(await stat(path)).mode & 0o777, await readFile(path, 'utf8')], [0o644, text])
    await keyturn.fails(['get', 'file:db', '--output-file', join(keyturn.folder, 'no/such/folder')], 'bad_event', 'output-file')
    await keyturn.fails(['get', 'file:db', '--reveal'], 'bad_event', 'reveal')
    const { code, stdout } = await keyturn.run(['get', 'file:db', '--reveal'])
    assert.deepEqual([code, stdout], [2, ''])
  })

  it('status and a dry run of a secret that no rotation could start for say so, as the run does', async () => {
    await keyturn.ok(['put', 'file:note'], { stdin: 'a text that is no login' })
    const run = await keyturn.fails(['rotate', 'file:note'], 'bad_policy', 'keyturn-rotator')
    const next = (await keyturn.ok(['rotate', 'file:note', '--dry-run'])).next as Body
    assert.deepEqual([next.do, next.code], ['refuse', run.code])
  })
})
