import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Body, Keyturn } from '../harness/cli-process.js'
import { bytesFrom, containers, keysOf } from '../harness/keys.js'

const program = new URL('../../cli/main.js', import.meta.url)
const slug = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
const key = (name: string): string => keysOf[name]?.[0](name) ?? ''

describe('a container is not a key, and a key keeps its spelling', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
  })
  after(() => keyturn?.close())
  const put = (name: string, stdin: string | object) =>
    keyturn.ok(['put', `file:${name}`], { stdin: typeof stdin === 'string' ? stdin : JSON.stringify(stdin) })
  const fields = async (name: string) => JSON.parse(await keyturn.value(name)) as Record<string, string>
  const next = async (name: string) => (await keyturn.ok(['rotate', `file:${name}`, '--dry-run'])).next as Body
  const planned = async (name: string) =>
    ((await keyturn.ok(['plan'])).secrets as Body[]).find(({ ref }) => ref === `file:${name}`) ?? assert.fail(name)
  const examined = async (name: string) => {
    const { stderr } = await keyturn.run(['doctor'])
    return stderr.split('\n').find((line) => line.includes(`file:${name}:`)) ?? assert.fail(name)
  }

  for (const [name, text] of Object.entries(containers))
    it(`${name} is refused by adopt, as the value and in a field, and the way is named`, async () => {
      const before_ = keyturn.said.length
      await put(slug(name), text)
      const whole = await keyturn.fails(['adopt', `file:${slug(name)}`, '--rotator', 'random'], 'bad_value', 'value')
      assert.match(whole.next, new RegExp(`keyturn adopt file:${slug(name)} field=NAME.*keyturn-parts`))
      await keyturn.fails(['adopt', `file:${slug(name)}`, '--rotator', 'random', 'form=hex', 'spelling=change'], 'bad_value', 'value')
      await keyturn.fails(['adopt', `file:${slug(name)}`, '--rotator', 'keyring'], 'bad_value', 'value')
      await put(`${slug(name)}-in`, { secret: text, key: text, list: [text], note: 'stays' })
      for (const rotator of ['random', 'keyring'])
        await keyturn.fails(['adopt', `file:${slug(name)}-in`, '--rotator', rotator, 'field=key'], 'bad_value', 'key')
      await keyturn.fails(['adopt', `file:${slug(name)}-in`, '--rotator', 'secret-list'], 'bad_value', 'list')
      assert.equal(await keyturn.value(slug(name)), text)
      assert.deepEqual((await keyturn.look(slug(name))).policy, {})
      assert.ok(!keyturn.said.slice(before_).includes('Canary'))
    })

  for (const [name, [make, looks]] of Object.entries(keysOf))
    it(`${name}: adopt takes it as it is, and three rotations keep how it is written`, async () => {
      const ref = `file:key-${slug(name)}`
      await put(`key-${slug(name)}`, make('cli'))
      await put(`key-${slug(name)}-in`, { service: 'x', api_key: make('cli'), note: [1, 2.5e3] })
      for (const [end, read] of [
        ['', () => keyturn.value(`key-${slug(name)}`)],
        ['-in', async () => (await fields(`key-${slug(name)}-in`)).api_key ?? ''],
      ] as const) {
        const adopted = await keyturn.ok(['adopt', ref + end, '--rotator', 'random'])
        assert.deepEqual(adopted.rewrites, [end === '' ? 'value' : 'api_key'])
        for (let turn = 0; turn < 3; turn++) {
          const old = await read()
          const { rewrote } = await keyturn.ok(['rotate', ref + end])
          assert.deepEqual(rewrote, adopted.rewrites)
          assert.match(await read(), looks)
          assert.notEqual(await read(), old)
          assert.equal((await read()).length, old.length)
        }
      }
      assert.ok(!keyturn.said.includes(make('cli')))
    })

  it('a policy that would write it in another way is refused: what differs is named, and what keeps it; never the key', async () => {
    const wrong: readonly (readonly [name: string, words: readonly string[], field: string, says: RegExp])[] = [
      ['a Fernet key', ['form=token'], 'form', /padding, length \(44 characters, not 43\)/],
      ['a Fernet key', ['form=base64'], 'form', /alphabet/],
      ['a Fernet key', ['form=fernet', 'size=48'], 'size', /length \(44 characters, not 64\)/],
      ['a secret_key_base of Rails', ['form=hex'], 'size', /length \(128 characters, not 64\)/],
      ['a secret_key_base of Rails', ['form=token'], 'form', /alphabet, length \(128 characters, not 43\)/],
      ['hexadecimal in capitals', ['form=token', 'size=48'], 'form', /alphabet/],
      ['a key with a prefix', ['form=token'], 'form', /prefix/],
      ['a key with a prefix', ['form=api-key', 'prefix=other'], 'prefix', /prefix/],
      ['base64 without padding', ['form=base64'], 'form', /padding, length \(43 characters, not 44\)/],
      ['a UUID', ['form=hex'], 'form', /alphabet/],
      ['a SECRET_KEY of Django', ['form=password'], 'form', /alphabet, length \(50 characters, not 32\)/],
      ['a SECRET_KEY of Django', ['size=32'], 'size', /without keyturn-form/],
      ['a cookie of Erlang', ['form=cookie'], 'form', /length \(20 characters, not 32\)/],
    ]
    for (const [index, [name, words, field, says]] of wrong.entries()) {
      await put(`wrong-${index}`, key(name))
      const error = await keyturn.fails(['adopt', `file:wrong-${index}`, '--rotator', 'random', ...words], 'bad_policy', `keyturn-${field}`)
      assert.match(error.message, says)
      assert.match(error.next, /keyturn-spelling=change/)
      for (const piece of [key(name).slice(0, 9), key(name).slice(-9)]) assert.ok(!keyturn.said.includes(piece), `${name}: ${piece}`)
      await keyturn.ok(['adopt', `file:wrong-${index}`, '--rotator', 'random'])
    }
    const { next: keeps } = await keyturn.fails(['adopt', 'file:wrong-3', 'form=hex'], 'bad_policy', 'keyturn-size')
    assert.match(keeps, /keyturn-form=hex keyturn-size=64 keeps it/)
    await keyturn.ok(['adopt', 'file:wrong-3', 'form=hex', 'size=64'])
  })

  it('a key that does not show how it is written: the forms are named, and one of them with spelling=change leads on', async () => {
    for (const [name, text] of [
      ['short', 'changeme'],
      ['dots', 'SG.abcdefghij.klmnopqrstuv'],
    ] as const) {
      await put(name, text)
      const error = await keyturn.fails(['adopt', `file:${name}`, '--rotator', 'random'], 'bad_policy', 'keyturn-form')
      assert.match(error.next, /token, api-key, .*password/)
      await keyturn.ok(['adopt', `file:${name}`, '--rotator', 'random', 'form=fernet', 'spelling=change'])
      await keyturn.ok(['rotate', `file:${name}`])
      assert.match(await keyturn.value(name), /^[\w][\w-]{42}=$/)
      await keyturn.ok(['policy', `file:${name}`, 'form=', 'spelling='])
      await keyturn.ok(['rotate', `file:${name}`])
      assert.match(await keyturn.value(name), /^[\w][\w-]{42}=$/)
      assert.ok(!keyturn.said.includes(text))
    }
  })

  it('what was adopted before it was refused does not end in a dead end: status, get, policy, put, and the next step', async () => {
    await put('stored', { key: key('a Fernet key') })
    await keyturn.ok(['adopt', 'file:stored', '--rotator', 'random', 'field=key', 'every=90d'])
    await keyturn.ok(['policy', 'file:stored', 'rotator=', 'field=', 'every='])
    await keyturn.ok(['put', 'file:stored'], { stdin: containers.dotenv ?? '' })
    await keyturn.fails(['policy', 'file:stored', 'rotator=random'], 'bad_value', 'value')
    await keyturn.ok(['policy', 'file:stored', 'owner=team'])
    assert.equal((await keyturn.ok(['get', 'file:stored'])).ref, 'file:stored')
    assert.equal((await keyturn.ok(['status', 'file:stored'])).ref, 'file:stored')
    await keyturn.ok(['put', 'file:stored'], { stdin: JSON.stringify({ key: key('a Fernet key') }) })
    await keyturn.ok(['adopt', 'file:stored', '--rotator', 'random'])
    await keyturn.ok(['rotate', 'file:stored'])
  })

  it('keyring: a Fernet key stays one; another form or size is refused until the policy says that consumers take it', async () => {
    await put('ring', { key: key('a Fernet key'), url: 'https://x.example' })
    await keyturn.fails(['adopt', 'file:ring', '--rotator', 'keyring', 'form=hex'], 'bad_policy', 'keyturn-form')
    await keyturn.fails(['adopt', 'file:ring', '--rotator', 'keyring', 'size=16'], 'bad_policy', 'keyturn-size')
    await keyturn.ok(['adopt', 'file:ring', '--rotator', 'keyring'])
    assert.deepEqual((await keyturn.ok(['rotate', 'file:ring'])).rewrote, ['key', 'key_id', 'key_previous'])
    assert.match((await fields('ring')).key ?? '', /^[\w-]{43}=$/)
    await put('ring-hex', { key: bytesFrom('ring', 32).toString('hex').toUpperCase() })
    await keyturn.ok(['adopt', 'file:ring-hex', '--rotator', 'keyring'])
    await keyturn.ok(['rotate', 'file:ring-hex'])
    assert.match((await fields('ring-hex')).key ?? '', /^[0-9A-F]{64}$/)
    await put('ring-change', { key: bytesFrom('ring', 32).toString('hex') })
    await keyturn.ok(['adopt', 'file:ring-change', '--rotator', 'keyring', 'form=fernet', 'spelling=change'])
    await keyturn.ok(['rotate', 'file:ring-change'])
    assert.match((await fields('ring-change')).key ?? '', /^[\w-]{43}=$/)
  })

  it('secret-list: the end that signs gets the new one, the other end leaves, and adopt says so', async () => {
    const [one, two, three] = ['one', 'two', 'three'].map((seed) => bytesFrom(seed, 16).toString('hex')) as [string, string, string]
    for (const [order, says, kept] of [
      ['first', /front of cookie.*last one leaves first.*keyturn-order=last/, [one, two]],
      ['last', /end of cookie.*first one leaves first.*keyturn-order=first/, [two, three]],
    ] as const) {
      await put(`list-${order}`, { cookie: [one, two, three] })
      const { outlook } = await keyturn.ok(['adopt', `file:list-${order}`, '--rotator', 'secret-list', `order=${order}`])
      assert.match(String(outlook), says)
      await keyturn.ok(['rotate', `file:list-${order}`])
      const { cookie } = JSON.parse(await keyturn.value(`list-${order}`)) as { cookie: string[] }
      assert.deepEqual(order === 'first' ? cookie.slice(1) : cookie.slice(0, 2), kept)
      assert.match(cookie.at(order === 'first' ? 0 : -1) ?? '', /^[0-9a-f]{32}$/)
      await keyturn.ok(['rollback', `file:list-${order}`, '--reason', 'a test'])
      const { cookie: back } = JSON.parse(await keyturn.value(`list-${order}`)) as { cookie: string[] }
      assert.equal(back.at(order === 'first' ? 0 : -1), order === 'first' ? one : three)
    }
    await keyturn.fails(['policy', 'file:list-last', 'order=middle'], 'bad_policy', 'keyturn-order')
  })

  it('a password in further spellings, or of another system: adopt, plan, doctor and a dry run say so before the first rotation', async () => {
    const password = 'Canary-pass/word+0123456789'
    const login = { engine: 'postgres', host: '127.0.0.1', port: 1, username: 'app', password }
    const url = `postgres://app:${encodeURIComponent(password)}@127.0.0.1:1/db`
    const policy = ['rotator=postgres']
    await put('same', { ...login, redis_password: password, db_url: url, owner: 'app' })
    await keyturn.ok(['policy', 'file:same', ...policy])
    const dry = await keyturn.ok(['rotate', 'file:same', '--dry-run'])
    assert.deepEqual(
      [dry.rewrites, dry.shared],
      [
        ['password', 'redis_password', 'db_url'],
        ['password', 'redis_password'],
      ],
    )
    assert.match(
      (await keyturn.run(['rotate', 'file:same', '--dry-run'])).stdout,
      /rewrites password, redis_password, db_url\.\nWarning: password, redis_password hold the same text/,
    )
    const line = await planned('same')
    assert.deepEqual(line.rewrites, ['password', 'redis_password', 'db_url'])
    assert.match(String(line.why), /password, redis_password hold the same text/)
    const hidden: readonly (readonly [string, string])[] = [
      ['basic', Buffer.from(`app:${password}`).toString('base64')],
      ['options', `-c x=${encodeURIComponent(password)}`],
      ['nested', JSON.stringify({ a: { b: password } })],
    ]
    for (const [field, text] of hidden) {
      await put(`hidden-${field}`, { ...login, [field]: text })
      await keyturn.ok(['policy', `file:hidden-${field}`, ...policy])
      await keyturn.fails(['adopt', `file:hidden-${field}`], 'bad_value', field)
      assert.deepEqual([(await next(`hidden-${field}`)).do, (await next(`hidden-${field}`)).code], ['refuse', 'bad_value'])
      const refused = await planned(`hidden-${field}`)
      assert.deepEqual([refused.rotation, /form that cannot be rewritten/.test(String(refused.why))], ['refused', true])
    }
    assert.ok(!keyturn.said.includes('Canary'))
  })

  it('the same for keys: a field that repeats one is named by adopt and doctor, and listed by each rotation', async () => {
    const token = key('base64url without padding')
    await put('shared', { token, redis_password: token, url: `redis://:${token}@cache:6379/0` })
    const adopted = await keyturn.ok(['adopt', 'file:shared', '--rotator', 'random', 'field=token'])
    assert.deepEqual(
      [adopted.rewrites, adopted.shared],
      [
        ['token', 'redis_password', 'url'],
        ['token', 'redis_password'],
      ],
    )
    assert.match(await examined('shared'), /^! .*rewrites token, redis_password, url\. token, redis_password hold the same text/)
    const rotated = await keyturn.run(['rotate', 'file:shared'])
    assert.match(rotated.stdout, /It rewrote token, redis_password, url\./)
    const now = await fields('shared')
    assert.deepEqual([now.redis_password, now.url], [now.token, `redis://:${now.token}@cache:6379/0`])
    for (const rotator of ['random', 'keyring']) {
      await put(`hides-${rotator}`, {
        key: key('a Fernet key'),
        header: `Basic ${Buffer.from(`x:${key('a Fernet key')}`).toString('base64')}`,
      })
      await keyturn.fails(['adopt', `file:hides-${rotator}`, '--rotator', rotator, 'field=key'], 'bad_value', 'header')
    }
  })
})
