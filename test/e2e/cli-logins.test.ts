import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { verifierOf } from '../harness/cli-canary.js'
import { firstPassword, startServer, valueFor } from '../harness/cli-postgres.js'
import { type Body, exitOf, Keyturn } from '../harness/cli-process.js'
import { asSuper } from '../harness/postgres-client.js'
import { binariesOf, type PostgresServer, removeCopies } from '../harness/postgres-server.js'

const program = new URL('../../cli/main.js', import.meta.url)
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const dayMs = 86_400_000

interface Trouble {
  readonly name: string
  readonly break: string
  readonly fix: string
  readonly code: string
  readonly remedy: string
  readonly field?: string
  readonly next: RegExp
}
/** The server checks the password first, and gives no session for each of these reasons. */
const troubles: readonly Trouble[] = [
  {
    name: 'missing database',
    break: 'alter database shop rename to away',
    fix: 'alter database away rename to shop',
    code: 'bad_value',
    remedy: 'fix',
    field: 'dbname',
    next: /dbname/,
  },
  {
    name: 'CONNECT revoked',
    break: 'revoke connect on database shop from public',
    fix: 'grant connect on database shop to public',
    code: 'target_denied',
    remedy: 'fix',
    next: /CONNECT/,
  },
  {
    name: 'connection limit of the role',
    break: 'alter role clerk connection limit 0',
    fix: 'alter role clerk connection limit -1',
    code: 'target_unreachable',
    remedy: 'retry',
    next: /limit/,
  },
  {
    name: 'connection limit of the database',
    break: 'alter database shop connection limit 0',
    fix: 'alter database shop connection limit -1',
    code: 'target_unreachable',
    remedy: 'retry',
    next: /limit/,
  },
  {
    name: 'a database that takes no connections',
    break: 'alter database shop allow_connections false',
    fix: 'alter database shop allow_connections true',
    code: 'target_denied',
    remedy: 'fix',
    next: /ALLOW_CONNECTIONS/,
  },
  {
    name: 'NOLOGIN',
    break: 'alter role clerk nologin',
    fix: 'alter role clerk login',
    code: 'target_denied',
    remedy: 'fix',
    next: /LOGIN/,
  },
]

describe('password accepted and logs in are two facts', { skip }, () => {
  let server: PostgresServer
  let keyturn: Keyturn
  before(async () => {
    server = await startServer()
    await asSuper(server, `create role clerk login password '${verifierOf(firstPassword)}'`)
    await asSuper(server, 'create database shop')
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
    for (const name of ['db', 'new'])
      await keyturn.ok(['put', `file:${name}`], { stdin: valueFor(server, 'clerk', firstPassword, { dbname: 'shop' }) })
    await keyturn.ok(['adopt', 'file:db'])
  })
  after(async () => {
    await keyturn?.close()
    await server?.stop()
    await removeCopies()
  })
  const facts = ({ passwordAccepted, logsIn }: Body) => ({ passwordAccepted, logsIn })
  const lineOf = async (): Promise<Body> => ((await keyturn.ok(['plan'])).secrets as Body[]).find(({ ref }) => ref === 'file:db') as Body
  const sweep = async () => {
    const { body } = await keyturn.json(['sweep'])
    return (body.actions as Body[]).filter(({ action }) => action === 'check')
  }

  for (const trouble of troubles) {
    it(`${trouble.name}: the password is accepted, and nobody says that it logs in`, async () => {
      await asSuper(server, trouble.break)
      try {
        for (const words of [
          ['verify', 'file:db'],
          ['adopt', 'file:new'],
        ]) {
          const { code, body, error } = await keyturn.json(words)
          assert.deepEqual([error?.code, error?.field], [trouble.code, trouble.field], error?.message)
          assert.equal(code, exitOf[trouble.remedy])
          assert.deepEqual(facts(body), { passwordAccepted: true, logsIn: false })
          assert.match(error?.message ?? '', /accepts the password of file:(db|new), but gives no session/)
          assert.match(error?.next ?? '', trouble.next)
        }
        assert.deepEqual((await keyturn.look('new')).policy, {}, 'not adopted')
        const { body } = await keyturn.json(['doctor'])
        const finding = (body.findings as Body[]).find(({ what }) => what === 'file:db')
        assert.deepEqual([finding?.level, finding?.code], ['wrong', trouble.code])
      } finally {
        await asSuper(server, trouble.fix)
      }
      assert.deepEqual(facts(await keyturn.ok(['verify', 'file:db'])), { passwordAccepted: true, logsIn: true })
    })

    it(`${trouble.name}: the daily look notes the code, which plan, status and list show until it is fixed`, async () => {
      await asSuper(server, trouble.break)
      keyturn.clock?.setAhead(dayMs)
      try {
        const [found] = await sweep()
        assert.equal(found?.code, trouble.code, String(found?.outcome))
        assert.equal((await lineOf()).code, trouble.code)
        const status = await keyturn.ok(['status', 'file:db'])
        assert.deepEqual([status.code, status.move], [trouble.code, 'keyturn verify file:db'])
        assert.match((await keyturn.run(['status', 'file:db'])).stdout, new RegExp(`login +${trouble.code}: .*did not log in`))
        assert.match((await keyturn.run(['plan'])).stdout, new RegExp(`${trouble.code}: .*did not log in`))
        const { secrets } = await keyturn.ok(['list'])
        assert.equal((secrets as Body[]).find(({ ref }) => ref === 'file:db')?.state, trouble.code)
        // A full server is asked again by the next sweep, a wrong right tomorrow.
        assert.equal((await sweep()).length, trouble.remedy === 'retry' ? 1 : 0)
      } finally {
        await asSuper(server, trouble.fix)
      }
      keyturn.clock?.setAhead(dayMs)
      assert.deepEqual(
        (await sweep()).map(({ outcome, code }) => [outcome, code]),
        [['logs in', null]],
      )
      assert.equal((await lineOf()).code, null)
      assert.equal((await keyturn.ok(['status', 'file:db'])).code, null)
    })
  }

  it('a refused password is another answer: its own code, exit code and facts', async () => {
    await asSuper(server, `alter role clerk password '${verifierOf('Another-password-0123456789')}'`)
    const { code, body, error } = await keyturn.json(['verify', 'file:db'])
    assert.deepEqual([code, error?.code, facts(body)], [exitOf.human, 'target_auth', { passwordAccepted: false, logsIn: false }])
    keyturn.clock?.setAhead(dayMs)
    assert.equal((await sweep())[0]?.code, 'target_auth')
    assert.equal((await lineOf()).code, 'target_auth')
    await asSuper(server, `alter role clerk password '${verifierOf(firstPassword)}'`)
    await keyturn.ok(['adopt', 'file:db'])
    assert.equal((await lineOf()).code, null, 'an adoption sees a login, too')
  })

  it('a server that cannot be reached: neither fact is claimed', async () => {
    await keyturn.ok(['put', 'file:gone'], { stdin: valueFor({ port: 1 }, 'clerk', firstPassword) })
    const { body, error } = await keyturn.json(['verify', 'file:gone'])
    assert.deepEqual([error?.code, facts(body)], ['target_unreachable', { passwordAccepted: undefined, logsIn: undefined }])
  })

  it('a value that a person puts is kept where the password is accepted and only the session is missing', async () => {
    const stdin = valueFor(server, 'clerk', firstPassword, { dbname: 'nowhere' })
    await keyturn.fails(['put', 'file:db'], 'bad_value', 'dbname', { stdin })
    assert.notEqual((await keyturn.ok(['status', 'file:db'])).pending, null)
    await keyturn.ok(['put', 'file:db'], { stdin: valueFor(server, 'clerk', firstPassword, { dbname: 'shop', note: 'right' }) })
    assert.equal((await keyturn.ok(['status', 'file:db'])).pending, null, 'the next put takes its place')
  })

  it('a kind that nobody outside knows claims no login', async () => {
    await keyturn.ok(['put', 'file:key'], { stdin: 'a-key-0123456789-0123456789-0123456789' })
    const adopted = await keyturn.ok(['adopt', 'file:key', '--rotator', 'random'])
    assert.deepEqual(facts(adopted), { passwordAccepted: null, logsIn: null })
    assert.match((await keyturn.run(['verify', 'file:key'])).stdout, /no target is asked/)
  })
})
