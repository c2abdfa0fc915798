import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Keyturn } from '../harness/cli-process.js'

const program = new URL('../../cli/main.js', import.meta.url)
const secret = 'Never-shown-0123456789-abcdef'
const good = { engine: 'postgres', host: 'nowhere.invalid', port: 5432, username: 'app', password: secret, dbname: 'app' }
const without = (field: string): string => JSON.stringify(Object.fromEntries(Object.entries(good).filter(([name]) => name !== field)))
const as = (rest: object): string => JSON.stringify({ ...good, ...rest })

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 1
}

interface Case {
  readonly what: string
  readonly value: string
  readonly code: string
  readonly field?: string
  /** Words of the policy that adopt is given. */
  readonly policy?: readonly string[]
  readonly says?: RegExp
}
const postgres = ['rotator=postgres']
const values: readonly Case[] = [
  { what: 'JSON that is cut off', value: `{"engine":"postgres","password":"${secret}`, code: 'bad_value', field: 'value' },
  { what: 'JSON with a comma too many', value: `${as({}).slice(0, -1)},}`, code: 'bad_value', field: 'value' },
  { what: 'a field that stands twice', value: `{"password":"x",${as({}).slice(1)}`, code: 'bad_value', field: 'value', says: /twice/ },
  { what: 'no host', value: without('host'), code: 'bad_value', field: 'host', says: /missing/ },
  { what: 'no user', value: without('username'), code: 'bad_value', field: 'username', says: /missing/ },
  { what: 'no password', value: without('password'), code: 'bad_value', field: 'password', says: /missing/ },
  { what: 'a number as password', value: as({ password: 1234567890123 }), code: 'bad_value', field: 'password', says: /text.*number/ },
  { what: 'null as password', value: as({ password: null }), code: 'bad_value', field: 'password', says: /null/ },
  { what: 'an object as user', value: as({ username: { name: 'app' } }), code: 'bad_value', field: 'username', says: /object/ },
  { what: 'a list as host', value: as({ host: ['a', 'b'] }), code: 'bad_value', field: 'host' },
  { what: 'two hosts in one text', value: as({ host: 'a.invalid,b.invalid' }), code: 'bad_value', field: 'host' },
  { what: 'an empty password', value: as({ password: '' }), code: 'bad_value', field: 'password', says: /empty/ },
  { what: 'a port that is none', value: as({ port: 65_536 }), code: 'bad_value', field: 'port' },
  { what: 'a port in words', value: as({ port: 'five' }), code: 'bad_value', field: 'port' },
  { what: 'a number as database', value: as({ dbname: 5 }), code: 'bad_value', field: 'dbname' },
  { what: 'a name of 64 bytes', value: as({ username: 'x'.repeat(64) }), code: 'bad_value', field: 'username', says: /64 bytes/ },
  { what: 'a name of 64 bytes in 32 letters', value: as({ username: 'ü'.repeat(32) }), code: 'bad_value', field: 'username' },
  { what: 'an sslmode that there is not', value: as({ sslmode: 'verify' }), code: 'bad_value', field: 'sslmode', says: /unknown/ },
  { what: 'ssl and sslmode that contradict', value: as({ ssl: false, sslmode: 'require' }), code: 'bad_value', field: 'ssl' },
  { what: 'a CA that is a path', value: as({ ca: '/etc/ssl/ca.pem' }), code: 'bad_value', field: 'ca' },
  { what: 'a URL with a lone %', value: `postgres://app:${secret}%zz@nowhere.invalid/app`, code: 'bad_value', field: 'value' },
  { what: 'a URL without a password', value: 'postgres://app@nowhere.invalid/app', code: 'bad_value', field: 'password' },
  {
    what: 'a URL of another kind',
    value: `mysql://app:${secret}@nowhere.invalid/app`,
    code: 'bad_value',
    field: 'value',
    policy: postgres,
  },
  { what: 'an engine that nobody rotates', value: as({ engine: 'oracle' }), code: 'bad_policy', field: 'keyturn-rotator' },
  { what: 'a bare password that does not say where', value: secret, code: 'bad_policy', field: 'keyturn-at', policy: postgres },
  { what: 'a host that does not exist', value: as({}), code: 'target_unreachable', field: 'host', says: /nowhere\.invalid/ },
]
const policies: readonly (readonly [what: string, words: readonly string[], field: string, says?: RegExp])[] = [
  ['an unknown rotator', ['rotator=postgras'], 'keyturn-rotator', /postgras.*postgres/s],
  ['a strategy that it does not have', ['strategy=overlap'], 'keyturn-strategy', /replace, alternate/],
  ['alternate without an administrator', ['strategy=alternate'], 'keyturn-admin'],
  ['every not longer than grace', ['every=1h', 'grace=1h'], 'keyturn-every', /grace/],
  ['every under the default grace', ['every=30m'], 'keyturn-every', /grace/],
  ['a grace under a minute', ['grace=59s'], 'keyturn-grace', /1m/],
  ['a grace that is no duration', ['grace=an hour'], 'keyturn-grace', /90d/],
  ['an unknown key', ['strateghy=replace'], 'keyturn-strateghy', /keyturn-strategy/],
  ['an unknown key with the prefix', ['keyturn-windw=02:00-03:00'], 'keyturn-windw', /keyturn-window/],
  ['an unknown key that is like one of the rotator', ['lenght=40'], 'keyturn-lenght', /keyturn-length/],
  ['a character that no cloud allows', ['owner=a;b'], 'keyturn-owner'],
  ['a letter beyond ASCII', ['owner=müller'], 'keyturn-owner'],
  ['a line end', ['owner=a\nb'], 'keyturn-owner'],
  ['a value of 257 characters', [`owner=${'x'.repeat(257)}`], 'keyturn-owner'],
  ['a window in a zone that there is not', ['window=02:00-03:00 Europe/Atlantis'], 'keyturn-window', /Atlantis/],
  ['a pair with an empty name', ['pair=app_a '], 'keyturn-pair', /empty name/],
  ['a pair that names one login twice', ['pair=app_a app_a'], 'keyturn-pair', /one login twice/],
  ['a length that is too short', ['length=8'], 'keyturn-length', /22/],
]

describe('bad values and policies: a code, the field, the next step, and nothing changed', { concurrency: 3 }, () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
  })
  after(async () => {
    const said = keyturn.said + JSON.stringify(await keyturn.records())
    await keyturn.close()
    assert.ok(!said.includes(secret.slice(0, 12)), 'a value was shown')
  })

  for (const [index, { what, value, code, field, policy = [], says }] of values.entries()) {
    it(`${what}: ${code}${field === undefined ? '' : ` (${field})`}`, async () => {
      const name = `value-${index}`
      const stored = await keyturn.json(['put', `file:${name}`], { stdin: value })
      if (stored.body.ok !== true) {
        assert.deepEqual([stored.error?.code, stored.error?.field], [code, field]) // refused before it was kept
        await keyturn.fails(['get', `file:${name}`], 'not_found', 'ref')
        return
      }
      const before_ = await keyturn.bytesOf(name)
      const error = await keyturn.fails(['adopt', `file:${name}`, ...policy], code, field)
      if (says) assert.match(error.message, says)
      assert.equal(error.remedy, code === 'target_unreachable' ? 'retry' : 'fix')
      assert.equal(await keyturn.bytesOf(name), before_)
      if (field === undefined || policy.length > 0 || code === 'target_unreachable') return
      await keyturn.fails(['verify', `file:${name}`], code, field)
      await keyturn.fails(['rotate', `file:${name}`, '--dry-run', '--token', 'short'], 'bad_event', 'token')
      assert.equal(await keyturn.bytesOf(name), before_)
    })
  }

  for (const [index, [what, words, field, says]] of policies.entries()) {
    it(`${what}: bad_policy (${field}), from adopt and from policy`, async () => {
      const name = `policy-${index}`
      await keyturn.ok(['put', `file:${name}`], { stdin: as({}) })
      const before_ = await keyturn.bytesOf(name)
      for (const command of ['adopt', 'policy']) {
        const error = await keyturn.fails([command, `file:${name}`, ...words], 'bad_policy', field)
        if (says) assert.match(`${error.message} ${error.next}`, says)
        assert.equal(await keyturn.bytesOf(name), before_)
      }
    })
  }

  it('a policy that becomes a contradiction by taking a key away is not written', async () => {
    await keyturn.ok(['put', 'file:taken'], { stdin: as({}) })
    await keyturn.ok(['policy', 'file:taken', 'grace=2m', 'every=30m'])
    const before_ = await keyturn.bytesOf('taken')
    await keyturn.fails(['policy', 'file:taken', 'grace='], 'bad_policy', 'keyturn-every')
    await keyturn.fails(['policy', 'file:taken', 'grace'], 'bad_event', 'policy')
    await keyturn.fails(['policy', 'file:taken', '=2h'], 'bad_event', 'policy')
    assert.equal(await keyturn.bytesOf('taken'), before_)
  })

  it('a closed port: target_unreachable, tried again, exit 75; a rotation leaves nothing but its bookkeeping', async () => {
    await keyturn.ok(['put', 'file:closed'], { stdin: as({ host: '127.0.0.1', port: await closedPort(), sslmode: 'disable' }) })
    const before_ = await keyturn.look('closed')
    const { code, stdout, stderr } = await keyturn.run(['adopt', 'file:closed'])
    assert.deepEqual([code, stdout], [75, ''])
    assert.match(stderr, /trying again.*attempt 3.*keyturn: target_unreachable \(port\): .*ECONNREFUSED/s)
    await keyturn.fails(['rotate', 'file:closed'], 'bad_policy', 'keyturn-rotator') // nobody has adopted it
    await keyturn.fails(['rotate', 'file:closed', '--rotator', 'postgres'], 'target_unreachable', 'port')
    assert.deepEqual(await keyturn.look('closed'), before_)
    const { open, leaseUntil } = await keyturn.ok(['status', 'file:closed'])
    assert.deepEqual([open, leaseUntil], [true, null])
  })

  it('a value of 65,536 bytes is kept; one byte more is too_large, counted in bytes, for a new and for an old secret', async () => {
    await keyturn.ok(['put', 'file:full'], { stdin: 'x'.repeat(65_536) })
    await keyturn.fails(['put', 'file:over'], 'too_large', 'value', { stdin: 'x'.repeat(65_537) })
    await keyturn.fails(['put', 'file:over'], 'too_large', 'value', { stdin: 'ü'.repeat(32_769) })
    await keyturn.fails(['get', 'file:over'], 'not_found', 'ref')
    const before_ = await keyturn.look('full')
    await keyturn.fails(['put', 'file:full'], 'too_large', 'value', { stdin: 'x'.repeat(65_537) })
    assert.deepEqual(await keyturn.look('full'), before_)
    await keyturn.ok(['put', 'file:full'], { stdin: 'small' }) // the refused one stands in nobody's way
  })

  it('a token, a step or a name that is none', async () => {
    await keyturn.ok(['put', 'file:asked'], { stdin: as({}) })
    const before_ = await keyturn.bytesOf('asked')
    for (const token of ['short', 'x'.repeat(65), `${'x'.repeat(31)}_`])
      await keyturn.fails(['rotate', 'file:asked', '--token', token], 'bad_event', 'token')
    await keyturn.fails(['rotate', 'file:asked', '--step', 'set'], 'bad_event', 'step')
    for (const words of [['rotate'], ['status'], ['verify'], ['adopt'], ['policy'], ['get']])
      await keyturn.fails([...words, 'file:unknown'], 'not_found', 'ref')
    assert.equal(await keyturn.bytesOf('asked'), before_)
  })

  it('an administrator that is the secret itself, or that there is not', async () => {
    await keyturn.ok(['put', 'file:own'], { stdin: as({}) })
    const before_ = await keyturn.bytesOf('own')
    await keyturn.fails(['adopt', 'file:own', 'strategy=alternate', 'admin=file:own'], 'admin_mismatch', 'keyturn-admin')
    const { error } = await keyturn.json(['adopt', 'file:own', 'strategy=alternate', 'admin=file:nobody'])
    assert.deepEqual([error?.code, error?.message.includes('file:nobody')], ['not_found', true])
    assert.equal(await keyturn.bytesOf('own'), before_)
  })

  it('a file that was edited or cut off is damaged: exit 4, left as it is, and the other secrets work', async () => {
    for (const [name, edit] of [
      ['edited', (text: string) => text.replace('"policy": {}', '"policy": {"keyturn-mode": "paused"}')],
      ['cut', (text: string) => text.slice(0, -20)],
    ] as const) {
      await keyturn.ok(['put', `file:${name}`], { stdin: as({}) })
      const text = edit(await keyturn.bytesOf(name))
      await writeFile(join(keyturn.home, 'secrets', `${name}.json`), text)
      for (const words of [['get'], ['status'], ['rotate'], ['policy', 'owner=me']]) {
        const [command = '', ...rest] = words
        assert.equal((await keyturn.fails([command, `file:${name}`, ...rest], 'damaged')).remedy, 'human')
      }
      assert.equal(await keyturn.bytesOf(name), text)
    }
    await keyturn.ok(['put', 'file:beside'], { stdin: as({}) })
    await keyturn.ok(['status', 'file:beside'])
  })
})

describe('a wrong key or setting: bad_config, the setting, and nothing changed', () => {
  let keyturn: Keyturn
  const otherKey = { KEYTURN_KEY: Buffer.alloc(32, 9).toString('base64') }
  before(async () => {
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
    await keyturn.ok(['put', 'file:db'], { stdin: as({}) })
  })
  after(() => keyturn?.close())
  const refused = async (words: readonly string[], field: string, env: Readonly<Record<string, string>>, says: RegExp) => {
    const before_ = await keyturn.kept()
    const { message, next } = await keyturn.fails(words, 'bad_config', field, { env, stdin: as({ password: 'another' }) })
    assert.match(`${message} ${next}`, says)
    assert.deepEqual(await keyturn.kept(), before_)
  }

  it('the key of another store', async () => {
    const db = ['get', 'put', 'policy', 'status', 'rotate', 'verify', 'adopt'].map((command) => [command, 'file:db'])
    for (const words of [...db, ['list']]) await refused(words, 'KEYTURN_KEY', otherKey, /another key/)
  })

  it('the key of another store does not get a new secret into this one, whose list would not work any more', async () => {
    const before_ = await keyturn.kept()
    const { body } = await keyturn.json(['put', 'file:new'], { env: otherKey, stdin: as({}) })
    const listed = await keyturn.json(['list'])
    assert.equal(listed.code, 0, `after a put with another key the store's own key cannot even list: ${JSON.stringify(listed.error)}`)
    assert.equal(body.ok, false)
    assert.deepEqual(await keyturn.kept(), before_)
  })

  it('a key that is none, in the environment and in the file', async () => {
    for (const key of ['short', Buffer.alloc(31).toString('base64'), 'z'.repeat(64)])
      await refused(['get', 'file:db'], 'KEYTURN_KEY', { KEYTURN_KEY: key }, /32/)
    const { error } = await keyturn.json(['get', 'file:db'], { env: { KEYTURN_KEY_FILE: await keyturn.file('no key') } })
    assert.equal(error?.code, 'bad_config')
    await refused(['get', 'file:db'], 'KEYTURN_KEY', { KEYTURN_KEY_FILE: join(keyturn.folder, 'nowhere') }, /nowhere/)
  })

  it('a key file that others may read', async () => {
    for (const mode of [0o644, 0o640, 0o604]) {
      await chmod(join(keyturn.home, 'key'), mode)
      await refused(['get', 'file:db'], 'key file', {}, new RegExp(`mode ${mode.toString(8)}.*chmod 600`))
    }
    await chmod(join(keyturn.home, 'key'), 0o600)
    await keyturn.ok(['get', 'file:db'])
  })

  it('a CA file that is missing or holds no certificate; a switch that is neither on nor off; all problems at once', async () => {
    const records = (await keyturn.records()).length
    const missing = { KEYTURN_CA_FILE: join(keyturn.folder, 'no-ca.pem') }
    await refused(['verify', 'file:db'], 'KEYTURN_CA_FILE', missing, /no-ca\.pem.*ENOENT/)
    await refused(['list'], 'KEYTURN_CA_FILE', { KEYTURN_CA_FILE: await keyturn.file('no PEM') }, /PEM/)
    await refused(['list'], 'KEYTURN_SHORT_GRACE', { KEYTURN_SHORT_GRACE: 'yes' }, /must be 1/)
    await refused(['list'], 'KEYTURN_SHORT_GRACE', { ...missing, KEYTURN_SHORT_GRACE: 'yes' }, /SHORT_GRACE.*CA_FILE/)
    assert.equal((await keyturn.records()).length, records, 'nothing was begun')
  })
})
