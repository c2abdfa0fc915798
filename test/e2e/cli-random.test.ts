import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Keyturn } from '../harness/cli-process.js'

const program = new URL('../../cli/main.js', import.meta.url)

describe('self-issued keys from the command line', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await Keyturn.open(program)
    keyturn.env = { KEYTURN_SHORT_GRACE: '1' }
    await keyturn.ok(['init'])
  })
  after(() => keyturn?.close())
  const fields = async (name: string) => JSON.parse(await keyturn.value(name)) as Record<string, string>
  /** Rotates a secret once; and another one like it, whose grace no machine is too slow to see: its next rotation is held. */
  const rotateOnce = async (name: string, stdin: string, rotator: string, ...policy: readonly string[]): Promise<void> => {
    for (const [ref, grace] of [
      [`file:${name}`, 'grace=1s'],
      [`file:${name}-held`, 'grace=10m'],
    ] as const) {
      await keyturn.ok(['put', ref], { stdin })
      await keyturn.ok(['adopt', ref, '--rotator', rotator, grace, ...policy])
      await keyturn.ok(['rotate', ref])
    }
    await keyturn.fails(['rotate', `file:${name}-held`], 'held')
  }

  it('replace: a bare text, and a field of JSON; the rest of it stays', async () => {
    await keyturn.ok(['put', 'file:cookie'], { stdin: 'OLDCOOKIE' })
    await keyturn.fails(['adopt', 'file:cookie', '--rotator', 'random'], 'bad_policy', 'keyturn-form')
    await keyturn.ok(['adopt', 'file:cookie', '--rotator', 'random', 'form=cookie', 'spelling=change'])
    await keyturn.ok(['rotate', 'file:cookie'])
    assert.match(await keyturn.value('cookie'), /^[A-Z]{32}$/)
    await keyturn.ok(['put', 'file:api'], { stdin: '{"api_key": "old", "url": "https://api.example"}' })
    await keyturn.ok(['adopt', 'file:api', '--rotator', 'random', 'form=api-key', 'prefix=shop', 'spelling=change'])
    const before_ = await fields('api')
    await keyturn.ok(['rotate', 'file:api'])
    const now = await fields('api')
    assert.match(now.api_key ?? '', /^shop_[0-9A-Za-z]{36}$/)
    assert.deepEqual({ ...now, api_key: 'old' }, before_)
    await keyturn.ok(['rollback', 'file:api', '--reason', 'a test'])
    assert.deepEqual(await fields('api'), before_)
  })

  it('overlap: the one before stays for a whole interval; the next rotation waits for grace, and then drops the oldest', async () => {
    await rotateOnce('hook', '{"secret": "whsec_first"}', 'random', 'strategy=overlap', 'form=webhook', 'spelling=change')
    const one = await fields('hook')
    assert.equal(one.secret_previous, 'whsec_first')
    assert.match(one.secret ?? '', /^whsec_/)
    keyturn.clock?.setAhead(1100)
    await keyturn.ok(['retire', 'file:hook'])
    await keyturn.ok(['rotate', 'file:hook'])
    const two = await fields('hook')
    assert.equal(two.secret_previous, one.secret)
    assert.notEqual(two.secret_id, one.secret_id)
    assert.ok(!JSON.stringify(two).includes('whsec_first'))
    await keyturn.ok(['rotate', 'file:hook', '--emergency', '--reason', 'it leaked'])
    const three = await fields('hook')
    assert.deepEqual(Object.keys(three), ['secret', 'secret_id'])
    assert.notEqual(three.secret, two.secret)
  })

  it('keyring: what is said to be re-encrypted leaves with the next rotation, and nothing before', async () => {
    await keyturn.ok(['put', 'file:data'], { stdin: `{"encryption-key": "${'ab'.repeat(32)}"}` })
    await keyturn.ok(['adopt', 'file:data', '--rotator', 'keyring', 'field=encryption-key', 'count=2', 'grace=1s'])
    await keyturn.ok(['rotate', 'file:data'])
    keyturn.clock?.setAhead(1100)
    await keyturn.fails(['rotate', 'file:data'], 'held')
    await keyturn.fails(['reencrypted', 'file:data', '--key', 'second'], 'bad_event', 'key')
    assert.deepEqual((await keyturn.ok(['reencrypted', 'file:data', '--key', 'first'])).outcome, 'released')
    const { retiring } = await keyturn.ok(['status', 'file:data'])
    assert.deepEqual(
      (retiring as { id: string; state: string }[]).map(({ id, state }) => `${id} ${state}`),
      ['first armed'],
    )
    await keyturn.ok(['rotate', 'file:data'])
    assert.ok(!(await keyturn.value('data')).includes('ab'.repeat(32)))
  })

  it('secret-list: a new one in front, as long as the first, the last one leaves; what signs now is never dropped', async () => {
    const [one, two] = ['a'.repeat(32), 'b'.repeat(32)]
    await rotateOnce('kratos', JSON.stringify({ domain: 'shop', cookie: [one, two] }), 'secret-list')
    const { cookie, domain, ...rest } = JSON.parse(await keyturn.value('kratos')) as { cookie: string[]; domain: string }
    assert.deepEqual([cookie.length, cookie[1], cookie[0]?.length, domain], [2, one, 32, 'shop'])
    assert.deepEqual(Object.keys(rest), ['cookie_id'])
    await keyturn.fails(['policy', 'file:kratos', 'count=1'], 'bad_policy', 'keyturn-count')
    await keyturn.ok(['policy', 'file:kratos', 'count=3'])
    keyturn.clock?.setAhead(1100)
    await keyturn.ok(['retire', 'file:kratos'])
    await keyturn.ok(['rotate', 'file:kratos'])
    const grown = JSON.parse(await keyturn.value('kratos')) as { cookie: string[] }
    assert.deepEqual(grown.cookie.slice(1), cookie)
    keyturn.clock?.setAhead(1100)
    await keyturn.ok(['retire', 'file:kratos'])
    await keyturn.ok(['put', 'file:lists'], { stdin: JSON.stringify({ a: ['x'.repeat(32)], b: ['short'], c: [7], d: ['y', 'y'] }) })
    await keyturn.fails(['adopt', 'file:lists', '--rotator', 'secret-list'], 'bad_policy', 'keyturn-field')
    for (const [field, code, where] of [
      ['b', 'bad_policy', 'keyturn-length'],
      ['c', 'bad_value', 'c'],
      ['d', 'bad_value', 'd'],
    ] as const)
      await keyturn.fails(['policy', 'file:lists', 'rotator=secret-list', `field=${field}`], code, where)
  })

  it('what does not fit is refused by name, and nothing is changed', async () => {
    await keyturn.ok(['put', 'file:odd'], { stdin: '{"key": "a-value-0123456789", "token": "another-0123456789"}' })
    await keyturn.fails(['adopt', 'file:odd', '--rotator', 'random'], 'bad_policy', 'keyturn-field')
    await keyturn.fails(['policy', 'file:odd', 'rotator=random', 'field=key', 'form=hex'], 'bad_policy', 'keyturn-form')
    await keyturn.ok(['policy', 'file:odd', 'rotator=random', 'field=key', 'form=hex', 'spelling=change'])
    await keyturn.fails(['policy', 'file:odd', 'form=rot13'], 'bad_policy', 'keyturn-form')
    await keyturn.fails(['policy', 'file:odd', 'size=8'], 'bad_policy', 'keyturn-size')
    await keyturn.fails(['policy', 'file:odd', 'field=absent'], 'bad_value', 'absent')
    await keyturn.fails(['put', 'file:odd'], 'bad_value', 'key', { stdin: '{"key": "no-hex-at-all-0123", "token": "x"}' })
    assert.equal((await fields('odd')).key, 'a-value-0123456789')
    await keyturn.ok(['put', 'file:odd'], { stdin: `{"key": "${'0a'.repeat(32)}", "token": "x"}` })
    assert.equal((await fields('odd')).token, 'x')
    assert.ok(!keyturn.said.includes('a-value-0123456789'))
  })
})
