import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { adminPassword, firstPassword, startServer, valueFor } from '../harness/cli-postgres.js'
import { Keyturn } from '../harness/cli-process.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, type PostgresServer, removeCopies } from '../harness/postgres-server.js'

const program = new URL('../../cli/main.js', import.meta.url)
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

/** One secret as applications have it: a login and its URLs, a signing secret, a cookie. */
describe('several credentials in one secret, one of them of a real PostgreSQL', { skip }, () => {
  let server: PostgresServer
  let keyturn: Keyturn
  before(async () => {
    server = await startServer()
    keyturn = await Keyturn.open(program)
    keyturn.env = { KEYTURN_SHORT_GRACE: '1' }
    await keyturn.ok(['init'])
    await keyturn.ok(['put', 'file:pg-admin'], { stdin: valueFor(server, 'keyturn_admin', adminPassword) })
  })
  after(async () => {
    await keyturn?.close()
    await server?.stop()
    await removeCopies()
  })
  const fields = async () => JSON.parse(await keyturn.value('app')) as Record<string, string>
  const urlFor = (user: string, password: string, database: string) =>
    `postgres://${user}:${password}@127.0.0.1:${server.port}/${database}?sslmode=disable`
  const value = () => ({
    'db-host': '127.0.0.1',
    'db-port': server.port,
    'db-name': 'postgres',
    'db-sslmode': 'disable',
    'db-user': 'app_a',
    'db-password': firstPassword,
    'db-url': urlFor('app_a', firstPassword, 'postgres'),
    'visibility-connection-string': urlFor('app_a', firstPassword, 'visibility'),
    'jwt-secret': 'first-jwt-secret-0123456789',
    'erlang-cookie': 'FIRSTCOOKIE',
    version: 7,
  })

  it('all at once: the other login, in its fields and URLs, and new keys; the first login stays valid until it is retired', async () => {
    await keyturn.ok(['put', 'file:app'], { stdin: JSON.stringify(value()) })
    const policy = [
      'parts=db-password=postgres jwt-secret=random erlang-cookie=random',
      'db-password-strategy=alternate',
      'db-password-pair=app_a app_b',
      'erlang-cookie-form=cookie',
      'erlang-cookie-spelling=change',
      'admin=file:pg-admin',
      'grace=1s',
    ]
    assert.equal((await keyturn.ok(['adopt', 'file:app', ...policy])).rotator, 'parts')
    await keyturn.ok(['rotate', 'file:app'])
    const now = await fields()
    const { 'db-user': user = '', 'db-password': password = '' } = now
    assert.equal(user, 'app_b')
    assert.ok((await logsIn(server, user, password)) && (await logsIn(server, 'app_a', firstPassword)))
    assert.equal(now['db-url'], urlFor(user, password, 'postgres'))
    assert.equal(now['visibility-connection-string'], urlFor(user, password, 'visibility'))
    assert.match(now['erlang-cookie'] ?? '', /^[A-Z]{32}$/)
    assert.notEqual(now['jwt-secret'], value()['jwt-secret'])
    assert.deepEqual(Object.keys(now), Object.keys(value()))
    const { retiring } = await keyturn.ok(['status', 'file:app'])
    assert.deepEqual(
      (retiring as { id: string }[]).map(({ id }) => id),
      ['db-password app_a'],
    )
  })

  it('one part: the others stay as they are, and the database is not asked', async () => {
    keyturn.clock?.setAhead(1100)
    const before_ = await fields()
    await keyturn.ok(['rotate', 'file:app#jwt-secret'])
    const now = await fields()
    assert.notEqual(now['jwt-secret'], before_['jwt-secret'])
    assert.deepEqual({ ...now, 'jwt-secret': before_['jwt-secret'] }, before_)
    await keyturn.fails(['rotate', 'file:app#nothing'], 'bad_event', 'ref')
  })

  it('revoke ends the login that left; nothing else of it is anywhere', async () => {
    await keyturn.ok(['rotate', 'file:app#db-password', '--emergency', '--reason', 'a test'])
    const now = await fields()
    assert.equal(now['db-user'], 'app_a')
    await keyturn.ok(['revoke', 'file:app', '--now', '--reason', 'a test'])
    assert.equal(await logsIn(server, 'app_b', (await fields())['db-password'] ?? ''), false)
    assert.ok(await logsIn(server, 'app_a', now['db-password'] ?? ''))
  })

  it('a key of the part’s rotator has the field in front, also where it is refused', async () => {
    await keyturn.fails(['policy', 'file:app', 'hash=server'], 'bad_policy', 'keyturn-hash')
    await keyturn.fails(['policy', 'file:app', 'db-password-hash=md5'], 'bad_policy', 'keyturn-db-password-hash')
    await keyturn.ok(['policy', 'file:app', 'db-password-hash=server'])
    await keyturn.fails(['rotate', 'file:app#db-password', '--emergency', '--reason', 'a test'], 'bad_policy', 'keyturn-db-password-hash')
  })
})
