import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { verifierOf } from '../harness/cli-canary.js'
import { adminPassword, firstPassword, makeRole, startServer, valueFor } from '../harness/cli-postgres.js'
import { type Body, Keyturn } from '../harness/cli-process.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { binariesOf, type PostgresServer, removeCopies } from '../harness/postgres-server.js'

const program = new URL('../../cli/main.js', import.meta.url)
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const dayMs = 86_400_000
const idle = 'idle-password-0123456789'

describe('a login that the server itself ends, and why a login was refused', { skip }, () => {
  let server: PostgresServer
  let keyturn: Keyturn
  before(async () => {
    server = await startServer()
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
    await keyturn.ok(['put', 'file:admin'], { stdin: valueFor(server, 'keyturn_admin', adminPassword) })
  })
  after(async () => {
    await keyturn?.close()
    await server?.stop()
    await removeCopies()
  })
  /** A role with a secret of the same name. */
  const open = async (role: string, words: readonly string[], options = ''): Promise<string> => {
    await makeRole(server, role, firstPassword)
    if (options !== '') await asSuper(server, `alter role ${role} ${options}`)
    await keyturn.ok(['put', `file:${role}`], { stdin: valueFor(server, role, firstPassword) })
    return (await keyturn.run(['adopt', `file:${role}`, ...words])).stdout
  }
  const planned = async (name: string): Promise<Body> =>
    ((await keyturn.ok(['plan'])).secrets as Body[]).find(({ ref }) => ref === `file:${name}`) as Body
  const examined = async (name: string): Promise<Body | undefined> =>
    ((await keyturn.json(['doctor'])).body.findings as Body[]).find(({ what }) => what === `file:${name}`)
  const inDays = (days: number): string => `valid until '${new Date(Date.now() + days * dayMs).toISOString()}'`
  const newPasswords = (): number => server.log.match(/ALTER ROLE \S+ (LOGIN )?PASSWORD/g)?.length ?? 0

  it('an end before the next due date is a warning of adopt, doctor and, after the daily look, of plan; moved, it is gone', async () => {
    const said = await open('soon', ['every=30d'], inDays(20))
    assert.match(
      said,
      /Warning: the target ends the login soon at 20\S+Z, and the next rotation is due at 20\S+Z\. Move that end .*VALID UNTIL/,
    )
    const finding = await examined('soon')
    assert.equal(finding?.level, 'warning')
    assert.match(String(finding?.says), /the target ends the login soon at/)
    assert.equal((await planned('soon')).expiry, null, 'plan does not log in')
    keyturn.clock?.setAhead(dayMs)
    await keyturn.json(['sweep'])
    assert.match(String((await planned('soon')).expiry), /the target ends a login of this secret at/)
    assert.match((await keyturn.run(['plan'])).stdout, /the target ends a login of this secret at/)
    await asSuper(server, "alter role soon valid until 'infinity'")
    keyturn.clock?.setAhead(dayMs)
    await keyturn.json(['sweep'])
    assert.equal((await planned('soon')).expiry, null)
    assert.equal((await examined('soon'))?.level, 'good')
  })

  it('an end after the next due date is none; without a schedule one within a month is', async () => {
    assert.doesNotMatch(await open('late', ['every=30d'], inDays(60)), /Warning/)
    assert.match(await open('never', [], inDays(20)), /and no rotation is scheduled/)
    assert.doesNotMatch(await open('far', [], inDays(40)), /Warning/)
    const { expiresAt } = await keyturn.ok(['verify', 'file:far'])
    assert.ok(Math.abs(Date.parse(String(expiresAt)) - Date.now() - 40 * dayMs) < dayMs)
  })

  it('the end of the login whose turn is next is a warning, too', async () => {
    await makeRole(server, 'duo_clone', idle)
    await asSuper(server, "alter role duo_clone valid until '2020-01-01'")
    assert.match(
      await open('duo', ['strategy=alternate', 'admin=file:admin', 'every=20d']),
      /Warning: the target ends the login duo_clone at 2020/,
    )
  })

  const over: readonly (readonly [string, string, readonly string[], string])[] = [
    ['the login itself, set by an administrator', 'gone', ['admin=file:admin'], "alter role gone valid until 'infinity'"],
    ['the idle login of a pair', 'turn', ['strategy=alternate', 'admin=file:admin'], "alter role turn_clone valid until 'infinity'"],
    [
      'the first login, whose second one is to be made',
      'model',
      ['strategy=alternate', 'admin=file:admin'],
      "alter role model valid until 'infinity'",
    ],
  ]
  for (const [what, role, words, fix] of over) {
    it(`expired, ${what}: refused before set, and nothing is changed; then it goes on`, async () => {
      await open(role, words)
      if (role === 'turn') {
        await makeRole(server, 'turn_clone', idle)
        await asSuper(server, 'grant turn to turn_clone')
      }
      await asSuper(server, `alter role ${role === 'turn' ? 'turn_clone' : role} valid until '2001-01-01'`)
      server.clearLog()
      const { code, error } = await keyturn.json(['rotate', `file:${role}`])
      assert.deepEqual([code, error?.code], [2, 'target_denied'], error?.message)
      assert.match(error?.message ?? '', /VALID UNTIL 2001-01-01 \S+ is over; nothing was changed/)
      assert.match(error?.next ?? '', /ALTER ROLE "\w+" VALID UNTIL 'infinity';/)
      assert.equal(newPasswords(), 0)
      await asSuper(server, fix)
      await keyturn.ok(['rotate', `file:${role}`, '--resume'])
    })
  }

  const reasons: readonly (readonly [string, string, RegExp, string])[] = [
    ['expired', "valid until '2001-01-01'", /the administrator sees that why_0 expired \(VALID UNTIL 2001-01-01/, 'target_denied'],
    ['NOLOGIN', 'nologin password null', /sees that why_1 may not log in \(NOLOGIN\)/, 'target_auth'],
    ['no connection', "connection limit 0 password 'another-0123456789'", /sees that why_2 may have no connection/, 'target_auth'],
    ['wrong password', "password 'another-0123456789'", /password authentication failed/, 'target_auth'],
  ]
  for (const [index, [what, change, says, expected]] of reasons.entries()) {
    it(`a refused login names what the administrator sees: ${what}`, async () => {
      const role = `why_${index}`
      await open(role, ['admin=file:admin'])
      await asSuper(server, `alter role ${role} ${change}`)
      const { error } = await keyturn.json(['verify', `file:${role}`])
      assert.equal(error?.code, expected)
      assert.match(error?.message ?? '', says)
      assert.match(String((await examined(role))?.says), says)
      const put = await keyturn.json(['put', `file:${role}`], { stdin: valueFor(server, role, 'what-a-person-put-0123456789') })
      assert.match(put.error?.message ?? '', says)
    })
  }

  it('a refused login names that the role is gone, and that it has no CONNECT', async () => {
    await open('lost', ['admin=file:admin'])
    await asSuper(server, 'create database closed')
    await asSuper(server, 'revoke connect on database closed from public')
    const wrong = valueFor(server, 'lost', 'not-right-0123456789', { dbname: 'closed' })
    assert.match(
      (await keyturn.json(['put', 'file:lost'], { stdin: wrong })).error?.message ?? '',
      /sees that lost has no CONNECT on closed/,
    )
    await asSuper(server, 'drop role lost')
    assert.match((await keyturn.json(['verify', 'file:lost'])).error?.message ?? '', /sees that the role lost does not exist/)
  })

  it('expired is no refusal: the pending value is kept, the secret is not stuck, and it goes on when the end is moved', async () => {
    await open('kept', ['admin=file:admin'])
    await asSuper(server, "alter role kept valid until '2001-01-01'")
    await keyturn.json(['rotate', 'file:kept'])
    const { code, pending } = await keyturn.ok(['status', 'file:kept'])
    assert.deepEqual([code, pending === null], [null, false])
    await asSuper(server, `alter role kept valid until 'infinity' password '${verifierOf(firstPassword)}'`)
    await keyturn.ok(['rotate', 'file:kept', '--resume'])
    assert.deepEqual([(await keyturn.ok(['verify', 'file:kept'])).logsIn, await logsIn(server, 'kept', firstPassword)], [true, false])
  })
})
