import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { configSchema } from '../../shared/app/config-schema.js'
import { ConfigurationSource, parseConfiguration } from '../../shared/app/configuration.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { FakeEnv } from '../harness/fake-env.js'

const key = `whsec_${Buffer.from('a canary key of thirty-two bytes').toString('base64')}`
const webhook = { kind: 'webhook', url: 'https://billing.example/hook', keys: [key] }
const good = {
  consumers: {
    billing: { ...webhook, required: true, allow: ['10.0.0.0/8'] },
    night: { kind: 'manual', required: true },
    out: { kind: 'log' },
  },
  defaults: { database: { every: '90d' } },
  freezes: [{ from: '2026-12-20T00:00:00Z', to: '2027-01-04T00:00:00Z', reason: 'year end' }],
  paused: false,
}
const parse = (value: unknown) => parseConfiguration(new SecretText(typeof value === 'string' ? value : JSON.stringify(value)))
const clusters = { prod: { server: 'https://api.example', token: 'canary-token-0123456789' } }
const kube = { kind: 'kubernetes', cluster: 'prod', namespace: 'shop', externalSecret: 'db', workloads: ['Deployment/web'] }
const inCluster = (more: object, all: object = clusters) => ({ clusters: all, consumers: { a: { ...kube, ...more } } })
const wrong: readonly (readonly [what: string, value: unknown, says: RegExp])[] = [
  ['an unknown field', { consumerz: {} }, /consumerz is unknown/],
  ['the old name of consumers', { targets: {} }, /targets is now called consumers/],
  [
    'the old name of consumers in defaults',
    { defaults: { database: { targets: 'a' } } },
    /defaults\.database\.targets is now called consumers/,
  ],
  ['an unknown kind', { consumers: { a: { kind: 'pigeon' } } }, /consumers\.a\.kind/],
  ['a log that is required', { consumers: { a: { kind: 'log', required: true } } }, /cannot be required/],
  ['a webhook without keys', { consumers: { a: { kind: 'webhook', url: 'https://x.example/' } } }, /consumers\.a\.keys/],
  [
    'a key that is too short',
    { consumers: { a: { ...webhook, keys: ['whsec_c2hvcnQ='] } } },
    /consumers\.a\.keys\.0 has the wrong number of bytes/,
  ],
  ['another scheme', { consumers: { a: { ...webhook, url: 'file:///etc/passwd' } } }, /consumers\.a\.url/],
  ['a network that is none', { consumers: { a: { ...webhook, allow: ['10.0.0.0/99'] } } }, /consumers\.a\.allow\.0/],
  ['a cluster that nobody set', inCluster({ cluster: 'prid' }), /consumers\.a.*prid|prid.*Known: prod/],
  [
    'a kind of workload that is misspelt',
    inCluster({ workloads: ['Deploymant/web'] }),
    /consumers\.a\.workloads\.0 must be Deployment\/name/,
  ],
  [
    'a workload without its kind, which may be two',
    inCluster({ workloads: ['web'] }),
    /consumers\.a\.workloads\.0 must be Deployment\/name/,
  ],
  ['a consumer without workloads', inCluster({ workloads: [] }), /no workloads to restart/],
  ['two secrets for one consumer', inCluster({ clusterExternalSecret: 'all' }), /one of externalSecret and clusterExternalSecret/],
  ['a namespace that no server takes', inCluster({ namespace: 'Shop_1' }), /consumers\.a\.namespace/],
  ['a restart that nobody knows', inCluster({ restart: 'all' }), /consumers\.a\.restart/],
  ['a window for restarts that is none', inCluster({ window: 'at night' }), /consumers\.a\.window/],
  ['a marker that names two places', inCluster({ marker: { key: 'a', annotation: 'b', field: 'c' } }), /one of key and annotation/],
  ['two ways into a cluster', inCluster({}, { prod: { ...clusters.prod, kubeconfig: '/k' } }), /clusters\.prod must have one way in/],
  ['a context without its file', inCluster({}, { prod: { ...clusters.prod, context: 'x' } }), /clusters\.prod must have one way in/],
  [
    'an account that is no name',
    inCluster({}, { prod: { ...clusters.prod, serviceAccount: 'keyturn' } }),
    /clusters\.prod\.serviceAccount/,
  ],
  ['a server without TLS', inCluster({}, { prod: { ...clusters.prod, server: 'http://api.example' } }), /clusters\.prod\.server/],
  [
    'a companion in a file that is not a public set',
    { companions: { a: { content: 'copy', of: 'file:s', at: 'path:/srv/db.json' } } },
    /companions\.a is not a public set/,
  ],
  [
    'a companion that leaks a login into a ConfigMap',
    { clusters, companions: { a: { content: 'credential', of: 'file:s', at: 'configmap:prod/a/b#c' } } },
    /companions\.a is not a public set/,
  ],
  [
    'a public set that comes too late',
    { companions: { a: { content: 'public-set', of: 'file:s', at: 'file:a', order: 'after' } } },
    /companions\.a is a public set, which is always/,
  ],
  [
    'a template of a companion',
    { companions: { a: { content: 'copy', of: 'file:s', at: 'file:a', template: '{{ .private }}' } } },
    /companions\.a\.template is unknown/,
  ],
  [
    'a ConfigMap in a cluster that nobody set',
    { clusters, companions: { a: { content: 'public-set', of: 'file:s', at: 'configmap:prid/a/b#c' } } },
    /companions\.a: configmap:prid\/a\/b#c is not/,
  ],
  [
    'two companions in one place',
    { companions: { a: { content: 'copy', of: 'file:s', at: 'file:x' }, b: { content: 'copy', of: 'file:s', at: 'file:x' } } },
    /companions\.a: b has the same place/,
  ],
  [
    'a companion of itself',
    { companions: { a: { content: 'copy', of: 'file:s', at: 'file:s' } } },
    /companions\.a: file:s is its own source/,
  ],
  [
    'a companion and a consumer of one name',
    { consumers: { a: { kind: 'log' } }, companions: { a: { content: 'copy', of: 'file:s', at: 'file:x' } } },
    /a is the name of a consumer, too/,
  ],
  ['the name none', { consumers: { none: { kind: 'log' } } }, /none/],
  [
    'a freeze that ends first',
    { freezes: [{ from: '2027-01-04T00:00:00Z', to: '2026-12-20T00:00:00Z', reason: 'x' }] },
    /freezes\.0 must end/,
  ],
  ['a default that nobody knows', { defaults: { database: { evry: '90d' } } }, /defaults\.database/],
  ['a default that is no duration', { defaults: { database: { grace: '5 parsecs' } } }, /defaults\.database.*keyturn-grace/],
  ['a default window that is none', { defaults: { database: { window: 'never' } } }, /defaults\.database.*keyturn-window/],
  [
    'a default for a missing consumer',
    { defaults: { database: { consumers: 'ghost' } } },
    /defaults\.database\.consumers names unknown consumers: ghost/,
  ],
  [
    'a webhook that can only check',
    { consumers: { a: { ...webhook, keys: [`whpk_${Buffer.alloc(32, 3).toString('base64')}`] } } },
    /consumers\.a\.keys must have one that signs/,
  ],
  [
    'plaintext that nobody asked for',
    { consumers: { a: { ...webhook, url: 'http://billing.example/hook' } } },
    /consumers\.a has an http URL/,
  ],
  [
    'a webhook that is waited for and can prove nothing',
    { consumers: { a: { ...webhook, required: true, keys: [`whsk_${Buffer.alloc(32, 3).toString('base64')}`] } } },
    /could prove a receipt/,
  ],
  [
    'a freeze without a reason',
    { freezes: [{ from: '2026-12-20T00:00:00Z', to: '2027-01-04T00:00:00Z', reason: '' }] },
    /freezes\.0\.reason must be a text that is not empty/,
  ],
  ['no object', '[]', /not a JSON object/],
  ['no JSON', `{"consumers": {"a": {"keys": ["${key}"`, /not well-formed JSON/],
]

describe('the configuration secret', () => {
  it('is understood', () => {
    const { consumers, defaults, freezes, paused } = parse(good)
    assert.deepEqual([Object.keys(consumers), consumers.billing?.required, paused], [['billing', 'night', 'out'], true, false])
    assert.deepEqual(defaults.database, { 'keyturn-every': '90d' })
    assert.equal(freezes[0]?.from, Date.UTC(2026, 11, 20))
    assert.ok(!inspect(consumers, { depth: 9 }).includes(key.slice(6, 20)))
    assert.deepEqual(Object.keys(parse({}).consumers), [])
  })

  for (const [what, value, says] of wrong) {
    it(`${what}: bad_config by its path, and no value is quoted`, () => {
      assert.throws(
        () => parse(value),
        (cause: Error) => {
          assert.equal((cause as { code?: string }).code, 'bad_config')
          assert.match(cause.message, says)
          assert.ok(!inspect(cause, { depth: 9 }).includes(key.slice(6, 20)))
          return true
        },
      )
    })
  }

  it('names every problem at once', () => {
    assert.throws(() => parse({ consumers: { a: { kind: 'manual', foo: 1 } }, paused: 'yes' }), /foo.*paused|paused.*foo/)
  })

  it('has a JSON Schema that takes what is right and refuses what is wrong', () => {
    const ajv = new Ajv2020({ strict: false })
    const validate = ajv.compile(configSchema())
    assert.ok(validate(good), JSON.stringify(validate.errors))
    for (const [what, value] of wrong.filter(([name]) => /unknown|required|without keys/.test(name))) assert.ok(!validate(value), what)
  })
})

describe('reading it', () => {
  it('is done again after five minutes; a broken new version keeps the last good one and says so', async () => {
    const env = new FakeEnv()
    let [text, reads] = [JSON.stringify(good), 0]
    const source = new ConfigurationSource(async () => {
      reads++
      return new SecretText(text)
    }, env)
    assert.ok('billing' in (await source.get()).consumers)
    text = '{"broken'
    env.time += 299_999
    await source.get()
    assert.equal(reads, 1)
    env.time += 1
    assert.ok('billing' in (await source.get()).consumers)
    assert.deepEqual([reads, env.lines.map(({ code }) => code)], [2, ['config_kept']])
    text = '{}'
    env.time += 300_000
    assert.deepEqual((await source.get()).consumers, {})
  })

  it('a process that has just begun takes the version before where the new one is broken, and says so', async () => {
    const env = new FakeEnv()
    const source = new ConfigurationSource(async (stage) => new SecretText(stage === 'current' ? '{"broken' : JSON.stringify(good)), env)
    assert.ok('billing' in (await source.get()).consumers)
    assert.deepEqual(
      env.lines.map(({ code }) => code),
      ['config_kept'],
    )
  })

  it('without a good version there is none to keep', async () => {
    const source = new ConfigurationSource(async () => new SecretText('{"x":1}'), new FakeEnv())
    await assert.rejects(source.get(), { code: 'bad_config' })
  })
})
