import assert from 'node:assert/strict'
import dns from 'node:dns'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemEnv } from '../../shared/core/env.js'
import type { Policy, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { deriveKeys, readKeyFile } from '../../shared/stores/file/keys.js'
import { FileStore } from '../../shared/stores/file.js'
import { Keyturn } from '../harness/cli-process.js'

const program = new URL('../../cli/main.js', import.meta.url)
/** Pieces of one password, each of which some reading takes for a user, a host or a database. */
const pieces = ['Quokkabird', 'wombatfish', 'numbatmoth', 'bilbywasp']
const [one, two, three, four] = pieces
const place = '127.0.0.1:1/orders?sslmode=disable'
const login = { engine: 'postgres', host: '127.0.0.1', port: 1, username: 'app', dbname: 'orders', sslmode: 'disable' }
const password = `${one}@${two}/${three}?${four}`
const encoded = encodeURIComponent(password)
const as = (rest: object): string => JSON.stringify({ ...login, password, ...rest })

const values: readonly (readonly [what: string, value: string, field: string])[] = [
  ['two @', `postgres://app:${one}@${two}@${place}`, 'value'],
  ['an @ and a slash', `postgres://app:${one}@${two}/${three}@${place}`, 'value'],
  ['an @ and a question mark', `postgresql://app:${one}@${two}?${three}=${four}@${place}`, 'value'],
  ['an @ and a number sign', `postgres://app:${one}@${two}#${three}@${place}`, 'value'],
  ['a number and a slash', `postgres://${one}:12/${two}@${place}`, 'value'],
  ['a JDBC URL with two @', `jdbc:postgresql://app:${one}@${two}@${place}`, 'value'],
  ['a JDBC URL with its login in the query', `jdbc:postgresql://${place}&user=app&password=${one}`, 'value'],
  ['another host in the query', `postgres://app:${one}@${place}&host=${two}`, 'value'],
  ['a blank', `postgres://app:${one} ${two}@${place}`, 'value'],
  ['a parameter twice', `postgres://app:${one}@${place}&sslmode=require`, 'value'],
  ['a derived URL', as({ 'db-url': `postgres://app:${password}@${place}` }), 'db-url'],
  ['nothing but a URL', JSON.stringify({ DATABASE_URL: `postgres://app:${one}@${two}@${place}` }), 'DATABASE_URL'],
  [
    'a derived URL that overrides itself',
    as({ 'connection-string': `postgres://app:${encoded}@${place}&password=${one}` }),
    'connection-string',
  ],
  ['a line break after the password', as({ password: `${password}\n` }), 'password'],
  ['a host in brackets', as({ host: `[${one}]` }), 'host'],
  ['two users', as({ user: one }), 'user'],
  ['a member twice', `{"password":"${one}",${as({}).slice(1)}`, 'value'],
]

/** Every name that was looked up and every connection that was begun in this process. No name is asked of anybody. */
function watchNetwork(): { readonly asked: string[]; end(): void } {
  const asked: string[] = []
  const { lookup } = dns
  const { connect } = Socket.prototype
  const lookUp = (name: string, _options: unknown, done: (cause: Error) => void): void => {
    asked.push(`lookup ${name}`)
    process.nextTick(() => done(Object.assign(new Error('not found'), { code: 'ENOTFOUND' })))
  }
  function begin(this: Socket, ...words: unknown[]): unknown {
    asked.push(`connect ${JSON.stringify(words[0])}`)
    return Reflect.apply(connect, this, words)
  }
  Object.assign(dns, { lookup: lookUp })
  Object.assign(Socket.prototype, { connect: begin })
  return {
    asked,
    end: () => {
      Object.assign(dns, { lookup })
      Object.assign(Socket.prototype, { connect })
    },
  }
}

describe('a value that clients read in different ways', () => {
  let keyturn: Keyturn
  let store: FileStore
  let network: ReturnType<typeof watchNetwork>
  before(async () => {
    keyturn = await Keyturn.open(program)
    keyturn.always = ['--verbose']
    await keyturn.ok(['init'])
    const keys = deriveKeys(await readKeyFile(join(keyturn.home, 'key')))
    store = new FileStore(keyturn.home, keys, systemEnv({ log: () => {} }))
    network = watchNetwork()
  })
  after(async () => {
    network.end()
    await keyturn.close()
  })

  /** As an older version, or somebody else, has stored it. */
  const stored = (name: string, value: string, policy: Policy) => store.create(`file:${name}`, new SecretText(value), policy)
  const refused = async (words: readonly string[], field: string, stdin?: string) => {
    const said = await keyturn.run(['--json', ...words], stdin === undefined ? {} : { stdin })
    const { error } = JSON.parse(said.stdout) as { readonly error: Readonly<Record<string, string>> }
    assert.deepEqual([error.code, error.field, said.code], ['bad_value', field, 2], `${words.join(' ')}: ${said.stdout}`)
    assert.ok(!said.stderr.includes('trying again'))
    return error.message
  }
  const silent = async () => {
    const told = keyturn.said + JSON.stringify(await keyturn.records()) + [...keyturn.commandLines].join('\n')
    for (const piece of pieces) assert.ok(!told.toLowerCase().includes(piece.toLowerCase()), `${piece} was shown`)
    assert.deepEqual(network.asked, [])
  }

  for (const [index, [what, value, field]] of values.entries()) {
    it(`${what}: the same answer from every command, before the network, and nothing changed`, async () => {
      await refused(['put', `file:new-${index}`], field, value)
      await keyturn.run(['get', `file:new-${index}`]).then(({ code }) => assert.equal(code, 2, 'it was stored'))
      const [fresh, kept] = [`fresh-${index}`, `kept-${index}`]
      await stored(fresh, value, {})
      await stored(kept, value, { 'keyturn-rotator': 'postgres' })
      const before_ = await Promise.all([fresh, kept].map((name) => keyturn.bytesOf(name)))
      const messages = new Set([
        await refused(['adopt', `file:${fresh}`, '--rotator', 'postgres'], field),
        await refused(['verify', `file:${kept}`], field),
        await refused(['rotate', `file:${kept}`], field),
        await refused(['rotate', `file:${kept}`, '--emergency', '--reason', 'leaked'], field),
        await refused(['put', `file:${kept}`], field, value),
      ])
      assert.equal(messages.size, 1)
      const { stdout } = await keyturn.run(['--json', 'doctor'])
      const { findings } = JSON.parse(stdout) as { readonly findings: readonly { readonly what: string; readonly says: string }[] }
      assert.equal(findings.find((one) => one.what === `file:${kept}`)?.says, `bad_value: ${[...messages][0]}`)
      for (const command of ['status', 'get']) assert.equal((await keyturn.run([command, `file:${kept}`])).code, 0)
      // A refused put has begun a rotation of its own, which holds nobody up; nothing else is different.
      assert.equal(await keyturn.bytesOf(fresh), before_[0])
      const { versions, policy } = await keyturn.look(kept)
      assert.deepEqual([versions.length, policy], [1, { 'keyturn-rotator': 'postgres' }])
      await silent()
    })
  }

  it('a rotation that is refused is not begun', async () => {
    const [, value, field] = values[0] ?? assert.fail()
    await stored('idle', value, { 'keyturn-rotator': 'postgres' })
    const before_ = await keyturn.bytesOf('idle')
    await refused(['rotate', 'file:idle'], field)
    assert.equal(await keyturn.bytesOf('idle'), before_)
  })

  it('the right value can be put, also where a rotation was begun before', async () => {
    const [, value] = values[1] ?? assert.fail()
    await stored('watched', `postgres://app:${encoded}@${place}`, { 'keyturn-rotator': 'postgres' })
    await keyturn.run(['verify', 'file:watched'])
    assert.ok(network.asked.length > 0, 'the watch sees a connection')
    for (const name of ['plain', 'begun']) {
      await stored(name, value, { 'keyturn-rotator': 'postgres' })
      const ref = await store.resolve(`file:${name}`)
      const wish = { token: 'token-0123456789-0123456789-abcdef' as Token, kind: 'rotate', holder: 'older', leaseMs: 0 } as const
      if (name === 'begun') await store.claim(await store.describe(ref), wish)
      const { stdout } = await keyturn.run(['--json', 'put', `file:${name}`], { stdin: `postgres://app:${encoded}@${place}` })
      // Nobody listens on that port: the value came as far as its own test.
      assert.match(stdout, /"code":"target_unreachable"/, name)
    }
    for (const piece of pieces) assert.ok(!keyturn.said.includes(piece))
  })
})
