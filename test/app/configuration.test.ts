import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { checkConfiguration } from '../../shared/app/check-configuration.js'
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
  ['a webhook without keys', { consumers: { a: { kind: 'webhook', url: 'https://x.example/' } } }, /consumers\.a\.keys is missing/],
  [
    'a consumer without a kind',
    { consumers: { a: {} } },
    /a\.kind is missing; it must be one of event-grid, kubernetes, log, manual, pubsub, webhook\./,
  ],
  [
    'a kind of no notifier',
    { consumers: { a: { kind: 7 } } },
    /a\.kind must be one of event-grid, kubernetes, log, manual, pubsub, webhook\./,
  ],
  ['an empty cluster name', inCluster({ cluster: '' }), /a\.cluster must be a text that is not empty/],
  ['a consumer of two missing fields', { consumers: { a: { kind: 'kubernetes' } } }, /a\.cluster is missing; .*a\.namespace is missing/],
  ['a consumer that is null', { consumers: { a: null } }, /consumers\.a must be an object\./],
  ['a list of texts that is one text', inCluster({ workloads: 'Deployment/web' }), /workloads must be a list\./],
  ['too many workloads', inCluster({ workloads: Array(21).fill('Pod/a') }), /workloads must have at most 20 entries\./],
  ['a wait that is no number', inCluster({ timeoutMs: '5' }), /timeoutMs must be a number\./],
  ['a wait that is too short', inCluster({ timeoutMs: 5 }), /timeoutMs must be at least 100\./],
  ['a wait that is too long', inCluster({ timeoutMs: 99_999 }), /timeoutMs must be at most 25000\./],
  ['a wait with a fraction', inCluster({ timeoutMs: 500.5 }), /timeoutMs must be a whole number\./],
  ['a switch that is a word', inCluster({ required: 'yes' }), /required must be true or false\./],
  ['a marker without a field', inCluster({ marker: { key: 'a' } }), /marker\.field is missing/],
  ['a companion without anything', { companions: { a: {} } }, /a\.content is missing; .*a\.of is missing; .*a\.at is missing\./],
  [
    'a relative path',
    { companions: { a: { content: 'public-set', of: 'file:s', at: 'path:srv/x' } } },
    /a\.at has a relative path; .*path:\/srv/,
  ],
  [
    'a ConfigMap without its key',
    { companions: { a: { content: 'public-set', of: 'file:s', at: 'configmap:prod/a' } } },
    /a\.at must be configmap:/,
  ],
  ['a default of an unknown type', { defaults: { data: {} } }, /defaults\.data is unknown; known are database, api-key/],
  ['an unknown default', { defaults: { database: { evry: '9d' } } }, /database\.evry is unknown; known are strategy, every/],
  ['a default that is a number', { defaults: { database: { grace: 5 } } }, /defaults\.database\.grace must be a text\./],
  [
    'a freeze without its end',
    { freezes: [{ from: '2026-12-20T00:00:00Z' }] },
    /freezes\.0\.to is missing; freezes\.0\.reason is missing\./,
  ],
  [
    'a freeze of words',
    { freezes: [{ from: 'now', to: 'then', reason: 'x' }] },
    /0\.from must be a time such as .*0\.to must be a time such as \S+\.$/,
  ],
  ['freezes in an object', { freezes: {} }, /freezes must be a list\./],
  [
    'a key that is too short',
    { consumers: { a: { ...webhook, keys: ['whsec_c2hvcnQ='] } } },
    /consumers\.a\.keys\.0 has the wrong number of bytes/,
  ],
  ['another scheme', { consumers: { a: { ...webhook, url: 'file:///etc/passwd' } } }, /consumers\.a\.url/],
  ['a network that is none', { consumers: { a: { ...webhook, allow: ['10.0.0.0/99'] } } }, /consumers\.a\.allow\.0/],
  ['a cluster that nobody set', inCluster({ cluster: 'prid' }), /consumers\.a\.cluster names the unknown cluster prid/],
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
    /companions\.a\.at names the unknown cluster prid/,
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
  ['no object', '[]', /is a list, not a JSON object/],
  ['null', 'null', /is not a JSON object/],
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

describe('a list where an object belongs', () => {
  /** Every place of this configuration that holds an object has an empty list instead, one after the other. */
  const full = {
    ...inCluster({ marker: { key: 'a', field: 'b' } }),
    ...good,
    companions: { c: { content: 'copy', of: 'file:s', at: 'file:x' } },
  }
  const all = { ...full, consumers: { ...full.consumers, k: { ...kube, marker: { key: 'a', field: 'b' } } } }
  const objectsIn = (value: unknown, path: readonly string[] = []): readonly (readonly string[])[] => {
    if (typeof value !== 'object' || value === null) return []
    const inner = Object.entries(value).flatMap(([at, one]) => objectsIn(one, [...path, at]))
    return Array.isArray(value) || path.length === 0 ? inner : [path, ...inner]
  }
  const replaced = (value: unknown, [at, ...rest]: readonly string[]): unknown => {
    if (at === undefined) return []
    const entries = Object.entries(value as object).map(([name, one]) => [name, name === at ? replaced(one, rest) : one] as const)
    return Array.isArray(value) ? entries.map(([, one]) => one) : Object.fromEntries(entries)
  }

  it('is named wherever it is, and nothing else is said of that place', () => {
    parse(all)
    const paths = objectsIn(all)
    assert.deepEqual(
      paths
        .map((path) => path.join('.'))
        .filter((path) => /^(consumers|clusters\.prod|freezes\.0|consumers\.k\.marker)$/.test(path))
        .sort(),
      ['clusters.prod', 'consumers', 'consumers.k.marker', 'freezes.0'],
    )
    for (const path of paths) {
      const says = `The configuration is wrong: ${path.join('.')} must be an object, not a list.`
      assert.throws(() => parse(replaced(all, path)), { code: 'bad_config', message: says, field: path.join('.') })
    }
  })
})

describe('a configuration that a person is about to store', () => {
  const check = (at: string, of = 'file:s') =>
    checkConfiguration(new SecretText(JSON.stringify({ companions: { a: { content: 'public-set', of, at } } })))

  it('names no store that nobody has', () => {
    for (const at of ['file:x', 'aws:x', 'arn:aws:secretsmanager:eu-west-1:1:secret:x', 'path:/srv/x'])
      assert.ok('a' in check(at).companions)
    const says = (member: string) => ({
      code: 'bad_config',
      field: `companions.a.${member}`,
      message: /names the unknown store fiel\.$/,
      next: /Known: file, aws/,
    })
    assert.throws(() => check('fiel:x'), says('at'))
    assert.throws(() => check('file:x', 'fiel:s'), says('of'))
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
