import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, beforeEach, describe, it } from 'node:test'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { GcpCommandLine, type Reply } from '../harness/gcp-command-line.js'

const password = 'first-Password-0123456789-abcdef'
const value = JSON.stringify({ engine: 'memory-a', target: 'gcp-bad-input', username: 'app', password })
const sized = (bytes: number): string => JSON.stringify({ ...JSON.parse(value), note: 'x'.repeat(bytes - Buffer.byteLength(value) - 10) })
const db = 'projects/p/secrets/db'
const key = 'projects/123456789012/secrets/db'
const staging = `${key}--pending`
const topic = 'projects/p/topics/rotations'

let line: GcpCommandLine
before(async () => {
  line = await GcpCommandLine.open()
})
after(() => line.close())

/** An adopted secret with one version. */
async function seed(): Promise<void> {
  line.double.reset()
  const target = new MemoryTarget()
  target.accounts.set('app', password)
  setMemoryTarget('gcp-bad-input', target)
  make('db', value)
  assert.equal((await line.run(['adopt', 'gcp:db', '--rotator', 'memory-a'])).code, 0)
}
/** As somebody else makes a secret, with these versions. */
function make(secretId: string, ...values: readonly string[]): void {
  line.double.do('CreateSecret', { parent: 'projects/p', secretId, secret: { replication: { automatic: {} } } })
  for (const text of values) add(`projects/p/secrets/${secretId}`, text)
}
const add = (parent: string, text: string) => line.double.do('AddSecretVersion', { parent, payload: { data: Buffer.from(text) } })
const disable = (version: number, secret = db) => line.double.do('DisableSecretVersion', { name: `${secret}/versions/${version}` })

interface Case {
  readonly what: string
  readonly words: readonly string[]
  readonly stdin?: string | Buffer
  readonly arrange?: () => unknown
  readonly code: string
  readonly field?: string
  readonly says: string
  readonly next: string
  /** How it is called in the table of docs/gcp.md. */
  readonly row: string
}
const noVersionNext = 'Add its first version, or enable one again, with the tools of its store; then run the same command again.'
const apiOff = {
  row: 'the API is not enabled',
  arrange: () => line.double.disabledIn.add('p'),
  code: 'bad_config',
  says: `The Secret Manager API is not enabled in project 123456789012, which has gcp:${db}.`,
  next: 'Run gcloud services enable secretmanager.googleapis.com --project=123456789012, and try again after some minutes.',
}
const cases: readonly Case[] = [
  {
    what: 'a project that is not there',
    row: 'the project does not exist',
    words: ['rotate', 'gcp:projects/typo/secrets/db'],
    code: 'bad_config',
    field: 'ref',
    says: 'The project of gcp:projects/typo/secrets/db does not exist, or this identity may not use it.',
    next: 'Check the project id in the name of the secret.',
  },
  {
    what: 'a secret that is not there',
    row: 'the secret does not exist',
    words: ['rotate', 'gcp:other'],
    code: 'not_found',
    field: 'ref',
    says: 'There is no secret gcp:other.',
    next: 'Check the name and the project; keyturn list --store gcp shows what is there.',
  },
  { what: 'an API that is off, of a rotation', words: ['rotate', 'gcp:db'], ...apiOff },
  { what: 'an API that is off, of a put', words: ['put', 'gcp:db'], stdin: value, ...apiOff },
  {
    what: 'a permission that is denied',
    row: 'a permission is denied',
    words: ['rotate', 'gcp:db'],
    arrange: () => line.double.deny.add('secretmanager.versions.access'),
    code: 'denied',
    says: `secretmanager.versions.access is denied on gcp:${key}, or gcp:${key} does not exist.`,
    next: `Grant a role with secretmanager.versions.access on the secret, and check the name: keyturn permissions gcp:${key} prints what is needed.`,
  },
  {
    what: 'a permission that is denied on the staging place alone',
    row: 'a permission is denied',
    words: ['rotate', 'gcp:db'],
    arrange: () => {
      line.double.mayNot = (permission, resource) => permission === 'secretmanager.secrets.update' && resource.endsWith('--pending')
    },
    code: 'denied',
    says: `secretmanager.secrets.update is denied on gcp:${staging}, or gcp:${staging} does not exist.`,
    next: `Grant a role with secretmanager.secrets.update on the secret, and check the name: keyturn permissions gcp:${key} prints what is needed.`,
  },
  {
    what: 'a staging place that may not be seen',
    row: 'a permission is denied',
    words: ['rotate', 'gcp:db'],
    arrange: () => {
      line.double.mayNot = (permission, resource) => permission === 'secretmanager.secrets.get' && resource.endsWith('--pending')
    },
    code: 'denied',
    says: `secretmanager.secrets.get is denied on gcp:${staging}, or gcp:${staging} does not exist.`,
    next: `Grant a role with secretmanager.secrets.get on the secret, and check the name: keyturn permissions gcp:${key} prints what is needed. A staging place that is gone is denied, too: then a person runs keyturn recover gcp:${key} --yes.`,
  },
  {
    what: 'a secret without a version, to rotate',
    row: 'no version',
    words: ['rotate', 'gcp:empty', '--rotator', 'memory-a'],
    arrange: () => make('empty'),
    code: 'not_found',
    says: 'gcp:projects/p/secrets/empty: the secret has no current value.',
    next: noVersionNext,
  },
  {
    what: 'a secret without a version, to adopt',
    row: 'no version',
    words: ['adopt', 'gcp:empty', '--rotator', 'memory-a'],
    arrange: () => make('empty'),
    code: 'not_found',
    field: 'ref',
    says: 'gcp:projects/p/secrets/empty has no current value.',
    next: noVersionNext,
  },
  {
    what: 'a newest version that Keyturn published and somebody disabled',
    row: 'the newest version is disabled',
    words: ['rotate', 'gcp:db'],
    arrange: async () => {
      assert.equal((await line.run(['rotate', 'gcp:db'])).code, 0)
      disable(2)
    },
    code: 'damaged',
    says: `gcp:${db}: version 2 was published and cannot be read: somebody disabled or destroyed it.`,
    next: `Enable that version again: who reads the newest version gets nothing. If it is destroyed, keyturn recover gcp:${db} tries the older ones and names the one safe thing to do.`,
  },
  {
    what: "a disabled newest version of an administrator's secret",
    row: 'the newest version is disabled',
    words: ['policy', 'gcp:db', 'admin=gcp:admin'],
    arrange: () => {
      make('admin', value, value)
      disable(2, 'projects/p/secrets/admin')
    },
    code: 'not_found',
    field: 'keyturn-admin',
    says: "The administrator's secret: The newest version of gcp:admin is disabled or destroyed.",
    next: 'Enable it, or put a new value: who reads the latest version gets nothing.',
  },
  {
    what: 'a topic that is not there',
    row: 'the topic does not exist',
    words: ['policy', 'gcp:db', 'every=30d'],
    arrange: () => {
      line.double.do('UpdateSecret', { secret: { name: db, topics: [{ name: topic }] }, updateMask: { paths: ['topics'] } })
      line.double.brokenTopics.set(topic, 'missing')
    },
    code: 'bad_config',
    field: 'keyturn-every',
    says: `The service cannot notify of gcp:${db} by the topic ${topic} (FAILED_PRECONDITION): it is missing, or the service may not publish to it. Nothing was changed.`,
    next: `Make the topic if it is missing, run gcloud pubsub topics add-iam-policy-binding ${topic} --member=serviceAccount:service-123456789012@gcp-sa-secretmanager.iam.gserviceaccount.com --role=roles/pubsub.publisher, and try again. A secret without topics is rotated by the sweep alone.`,
  },
  {
    what: 'a name with characters that no secret has',
    row: 'the name is not allowed',
    words: ['rotate', 'gcp:a.b'],
    code: 'bad_event',
    field: 'ref',
    says: '"gcp:a.b" does not name a secret of Google Cloud.',
    next: 'Write gcp:projects/PROJECT/secrets/NAME. A name has A-Z a-z 0-9 _ -, at most 255 of them.',
  },
  {
    what: 'a project that cannot be one',
    row: 'the name is not allowed',
    words: ['status', 'gcp:projects/Shop/secrets/db'],
    code: 'bad_event',
    field: 'ref',
    says: '"gcp:projects/Shop/secrets/db" does not name a secret of Google Cloud: "Shop" is not the id or the number of a project.',
    next: 'Write gcp:projects/PROJECT/secrets/NAME, or gcp:projects/PROJECT/locations/LOCATION/secrets/NAME for a regional secret.',
  },
  ...['status', 'rotate', 'permissions', 'put'].map((command) => ({
    what: `a version in the place of a secret, to ${command}`,
    row: 'the name is not allowed',
    words: [command, `gcp:${db}/versions/3`],
    stdin: value,
    code: 'bad_event',
    field: 'ref',
    says: `"gcp:${db}/versions/3" names a version, and Keyturn works on the whole secret.`,
    next: `Write gcp:${db}.`,
  })),
  {
    what: 'a name whose staging place would have none',
    row: 'the name is not allowed',
    words: ['put', `gcp:${'x'.repeat(247)}`],
    stdin: value,
    code: 'bad_event',
    field: 'ref',
    says: `The name ${'x'.repeat(247)} is too long: its staging place would have 256 characters.`,
    next: 'Choose a name of at most 246 characters.',
  },
  {
    what: 'the staging place in the place of the secret',
    row: 'the name is not allowed',
    words: ['rotate', 'gcp:db--pending'],
    code: 'bad_event',
    field: 'ref',
    says: 'gcp:projects/p/secrets/db--pending is the staging place of another secret.',
    next: 'Name the secret itself.',
  },
  ...(
    [
      ['gcp:db', 65_025],
      ['gcp:new', 65_025],
      ['gcp:db', 70_000],
    ] as const
  ).map(([ref, bytes]) => ({
    what: `a payload of ${bytes} bytes for ${ref}`,
    row: 'the payload is too large',
    words: ['put', ref],
    stdin: sized(bytes),
    code: 'too_large',
    field: 'value',
    says: 'The value has more than 65024 bytes, which is as much as this store takes. No more was read.',
    next: 'Shorten it, or keep everything that is not a credential elsewhere.',
  })),
  ...['rotate', 'verify'].map((command) => ({
    what: `a payload that somebody else stored and that is binary, to ${command}`,
    row: 'the payload is binary',
    words: [command, 'gcp:db'],
    arrange: () => line.double.do('AddSecretVersion', { parent: db, payload: { data: Buffer.from([0xff, 0xfe, 0x00]) } }),
    code: 'bad_value',
    field: 'value',
    says: `Version 2 of gcp:${db} is binary.`,
    next: 'Put a text: JSON, a URL or a bare password.',
  })),
  {
    what: 'a payload that is binary',
    row: 'the payload is binary',
    words: ['put', 'gcp:db'],
    stdin: Buffer.from([0xff, 0xfe, 0x00]),
    code: 'bad_value',
    field: 'value',
    says: 'The value is not UTF-8 text.',
    next: 'Convert it to UTF-8, or give binary data as base64.',
  },
]
/** The table of the page: what is wrong, the code, the message, the next step. */
const page = readFileSync('docs/gcp.md', 'utf8')
const [, table = ''] = /\n\| what is wrong \|[^\n]*\n[^\n]*\n((?:\|[^\n]*\n)+)/.exec(page) ?? []
const rows = table
  .trim()
  .split('\n')
  .map((row) => row.slice(2, -2).split(' | '))

describe('docs/gcp.md', () => {
  it('shows one case of each kind of bad input, in its own words', () => {
    assert.deepEqual(
      rows.map(([row]) => row),
      [...new Set(cases.map(({ row }) => row))],
    )
    for (const [wanted, ...cells] of rows)
      assert.ok(
        cases.some(({ row, code, says, next }) => row === wanted && `${cells}` === `${[`\`${code}\``, says, next]}`),
        `${wanted}: ${cells.join(' | ')}`,
      )
  })
})

const said = ({ error }: Reply) => (error === undefined ? assert.fail('it was done') : { ...error })

describe('bad input to a secret of Google Cloud, at the command line', () => {
  beforeEach(seed)

  for (const { what, words, stdin, arrange, code, field, says, next } of cases)
    it(`${what}: ${code}, and nothing is changed`, async () => {
      await arrange?.()
      const before = line.state()
      const { code: got, message, next: step, field: where } = said(await line.json(words, stdin))
      assert.deepEqual({ code: got, message, next: step, field: where }, { code, message: says, next, field })
      assert.equal(line.state(), before)
      assert.ok(!`${message}${step}`.includes(password))
    })

  it('a permission that is missing only later leaves the consumer secret as it is, and once it is granted the same command goes on', async () => {
    line.double.deny.add('secretmanager.versions.add')
    const before = structuredClone(line.double.secrets.get(key))
    const { code, message } = said(await line.json(['rotate', 'gcp:db']))
    assert.deepEqual(
      [code, message],
      ['denied', `secretmanager.versions.add is denied on gcp:${staging}, or gcp:${staging} does not exist.`],
    )
    assert.deepEqual(line.double.secrets.get(key), before)
    assert.equal(line.double.secrets.get(staging)?.versions.length, 0)
    line.double.deny.clear()
    const { body } = await line.json(['rotate', 'gcp:db'])
    assert.deepEqual([body.ok, body.version], [true, '2'])
  })

  it('a newest version that somebody else wrote and disabled is not current, and the next rotation comes after it', async () => {
    add(db, 'not a value of ours')
    disable(2)
    assert.equal((await line.json(['status', 'gcp:db'])).body.version, '1')
    assert.equal((await line.json(['rotate', 'gcp:db'])).body.version, '3')
  })

  it('a version that was published and disabled is missed even where the one before it is gone, too, and is taken again once it is enabled', async () => {
    await line.run(['rotate', 'gcp:db'])
    await line.run(['rotate', 'gcp:db', '--emergency', '--reason', 'a test'])
    for (const version of [2, 3]) disable(version)
    assert.equal(said(await line.json(['rotate', 'gcp:db'])).code, 'damaged')
    for (const version of [2, 3]) line.double.do('EnableSecretVersion', { name: `${db}/versions/${version}` })
    assert.equal((await line.json(['rotate', 'gcp:db'])).body.version, '4')
  })

  it('where an alias says what is current, one that is behind is an older answer, and not a version that is gone', async () => {
    await line.run(['rotate', 'gcp:db'])
    assert.equal((await line.json(['policy', 'gcp:db', 'aliases=only'])).body.ok, true)
    assert.equal((await line.json(['rotate', 'gcp:db'])).body.version, '3')
    line.double.fault = ({ name, staging }) => (name === 'GetSecret' && !staging ? { staleWrites: 1 } : undefined)
    assert.equal(said(await line.json(['rotate', 'gcp:db'])).code, 'conflict')
    assert.equal(line.double.secrets.get(key)?.versions.length, 3)
  })

  it('a secret without a version has no age', async () => {
    make('empty')
    for (const command of ['status', 'get']) {
      assert.equal((await line.json([command, 'gcp:empty'])).body.publishedAt, null)
      assert.doesNotMatch((await line.run([command, 'gcp:empty'])).stdout, /published|1970/)
    }
    assert.match((await line.run(['list', '--store', 'gcp'])).stdout, /empty +- +- +idle +- /)
  })

  it('a secret that is not there is made by a put, and refused by everything else', async () => {
    const { body } = await line.json(['put', 'gcp:made'], value)
    assert.deepEqual([body.outcome, body.ref], ['created', 'gcp:projects/p/secrets/made'])
    assert.equal((await line.json(['adopt', 'gcp:made', '--rotator', 'memory-a'])).body.ok, true)
    for (const command of ['status', 'get', 'verify', 'retire', 'release'])
      assert.equal(said(await line.json([command, 'gcp:no'])).code, 'not_found')
  })
})
