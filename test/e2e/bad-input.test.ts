import assert from 'node:assert/strict'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CommandLine } from '../harness/command-line.js'

const good = {
  engine: 'postgres',
  host: '127.0.0.1',
  port: 1,
  username: 'app',
  password: 'Canary-0123456789-abcdef',
  dbname: 'app',
  sslmode: 'disable',
}
const { password: _, ...without } = good

interface Case {
  readonly what: string
  readonly value?: string
  readonly words?: readonly string[]
  readonly code: string
  readonly field?: string
  readonly exit: number
}
const cases: readonly Case[] = [
  {
    what: 'malformed JSON',
    value: '{"engine":"postgres","password":"Canary',
    words: ['adopt', 'file:db', '--rotator', 'postgres'],
    code: 'bad_value',
    field: 'value',
    exit: 2,
  },
  { what: 'a missing field', value: JSON.stringify(without), code: 'bad_value', field: 'password', exit: 2 },
  { what: 'a mistyped field', value: JSON.stringify({ ...good, password: 12345678 }), code: 'bad_value', field: 'password', exit: 2 },
  { what: 'an empty password', value: JSON.stringify({ ...good, password: '' }), code: 'bad_value', field: 'password', exit: 2 },
  { what: 'a port that is none', value: JSON.stringify({ ...good, port: 'five' }), code: 'bad_value', field: 'port', exit: 2 },
  {
    what: 'a name that is too long',
    value: JSON.stringify({ ...good, username: 'x'.repeat(64) }),
    code: 'bad_value',
    field: 'username',
    exit: 2,
  },
  {
    what: 'an unknown rotator',
    words: ['adopt', 'file:db', '--rotator', 'postgras'],
    code: 'bad_policy',
    field: 'keyturn-rotator',
    exit: 2,
  },
  {
    what: 'an unknown policy key',
    words: ['adopt', 'file:db', 'strateghy=replace'],
    code: 'bad_policy',
    field: 'keyturn-strateghy',
    exit: 2,
  },
  { what: 'an illegal policy character', words: ['adopt', 'file:db', 'owner=a;b'], code: 'bad_policy', field: 'keyturn-owner', exit: 2 },
  {
    what: 'a policy that contradicts itself',
    words: ['adopt', 'file:db', 'strategy=alternate'],
    code: 'bad_policy',
    field: 'keyturn-admin',
    exit: 2,
  },
  {
    what: 'a schedule shorter than the grace',
    words: ['policy', 'file:db', 'every=30m'],
    code: 'bad_policy',
    field: 'keyturn-every',
    exit: 2,
  },
  { what: 'a grace that is too short', words: ['policy', 'file:db', 'grace=5s'], code: 'bad_policy', field: 'keyturn-grace', exit: 2 },
  {
    what: 'consumers that nothing says what they are',
    words: ['policy', 'file:db', 'consumers=cluster'],
    code: 'bad_config',
    field: 'keyturn-consumers',
    exit: 2,
  },
  {
    what: 'a strategy that the rotator does not have',
    words: ['policy', 'file:db', 'strategy=overlap'],
    code: 'bad_policy',
    field: 'keyturn-strategy',
    exit: 2,
  },
  { what: 'a closed port', code: 'target_unreachable', field: 'port', exit: 75 },
  {
    what: 'an unknown host',
    value: JSON.stringify({ ...good, host: 'nowhere.invalid' }),
    code: 'target_unreachable',
    field: 'host',
    exit: 75,
  },
  { what: 'no policy word', words: ['policy', 'file:db', 'grace'], code: 'bad_event', field: 'policy', exit: 2 },
  { what: 'a malformed token', words: ['rotate', 'file:db', '--token', 'short'], code: 'bad_event', field: 'token', exit: 2 },
  { what: 'an unknown secret', words: ['rotate', 'file:nope'], code: 'not_found', field: 'ref', exit: 2 },
  { what: 'an unknown store', words: ['rotate', 'vault:db'], code: 'bad_event', field: 'ref', exit: 2 },
  { what: 'a name that is none', words: ['rotate', 'file:../db'], code: 'bad_event', field: 'ref', exit: 2 },
  { what: 'a step before its time', words: ['rotate', 'file:db', '--step', 'finish'], code: 'bad_event', field: 'step', exit: 2 },
]

describe('bad input: a code, the field, the next step, and nothing changed', () => {
  let cli: CommandLine
  before(async () => {
    cli = await CommandLine.open()
    await cli.json(['init'])
  })
  after(() => cli.close())

  for (const [index, { what, value, words, code, field, exit }] of cases.entries()) {
    it(what, async () => {
      const name = `db${index}`
      const stored = await cli.json(['put', `file:${name}`], value ?? JSON.stringify(good))
      if (stored.code !== 0) {
        assert.deepEqual([stored.error.code, stored.error.field, stored.code], [code, field, exit], stored.stdout)
        assert.equal((await cli.json(['get', `file:${name}`])).error.code, 'not_found') // refused before it was kept
        return
      }
      const before_ = await cli.bytesOf(name)
      const named = (words ?? ['adopt', 'file:db']).map((word) => (word === 'file:db' ? `file:${name}` : word))
      const answer = await cli.json(named)
      assert.deepEqual([answer.error.code, answer.error.field, answer.code], [code, field, exit], answer.stdout)
      assert.ok((answer.error.next ?? '').length > 5)
      assert.equal(await cli.bytesOf(name), before_)
      assert.ok(!cli.printed.includes('Canary'))
    })
  }

  it('a value that is too large, in a new secret and in an old one', async () => {
    const large = JSON.stringify({ ...good, note: 'x'.repeat(70_000) })
    assert.equal((await cli.json(['put', 'file:large'], large)).error.code, 'too_large')
    await cli.json(['put', 'file:small'], 'a text of no known kind')
    const answer = await cli.json(['put', 'file:small'], 'x'.repeat(70_000))
    assert.deepEqual([answer.error.code, answer.error.field, answer.code], ['too_large', 'value', 2])
    assert.equal((await cli.json(['get', 'file:small'])).json.previous, null)
  })

  it('an empty value', async () => {
    const answer = await cli.json(['put', 'file:empty'], '\n')
    assert.deepEqual([answer.error.code, answer.error.field, answer.code], ['bad_value', 'value', 2])
  })

  it('a key that is wrong, malformed, readable by others or missing; no store; a CA file that is none', async () => {
    await cli.json(['put', 'file:keyed'], JSON.stringify(good))
    const before_ = await cli.bytesOf('keyed')
    const check = async (environment: Record<string, string>, code: string, words = ['get', 'file:keyed']) => {
      cli.environment = environment
      const answer = await cli.json(words)
      cli.environment = {}
      assert.deepEqual([answer.error.code, answer.code], [code, 2], answer.stdout)
      assert.equal(await cli.bytesOf('keyed'), before_)
    }
    await check({ KEYTURN_KEY: Buffer.alloc(32, 1).toString('base64') }, 'bad_config')
    await check({ KEYTURN_KEY: 'not a key' }, 'bad_config')
    await check({ KEYTURN_KEY_FILE: join(cli.home, 'no-such-key') }, 'bad_config')
    await check({ KEYTURN_HOME: join(cli.home, 'elsewhere') }, 'bad_config')
    await check({ KEYTURN_CA_FILE: join(cli.home, 'no-such-ca') }, 'bad_config')
    await check({ KEYTURN_SHORT_GRACE: 'yes' }, 'bad_config')
    await chmod(join(cli.home, 'store/key'), 0o644)
    await check({}, 'bad_config')
    await chmod(join(cli.home, 'store/key'), 0o600)
    await mkdir(join(cli.home, 'empty'))
  })
})
