import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { AzureIdentity } from '../harness/azure-identity.js'
import { Keyturn } from '../harness/cli-process.js'
import { EventGridDouble, type GridTopic } from '../harness/event-grid.js'
import { Authority } from '../harness/pg-certificates.js'
import { repository } from '../harness/repository.js'
import { TlsFront } from '../harness/tls-front.js'

const host = 'changes.westeurope-1.eventgrid.azure.net'
const topic = `https://${host}/api/events`
const value = '{"api_key": "the-first-value-of-them-all"}'
type Finding = { readonly what: string; readonly level: string; readonly code: string | null; readonly says: string }

/** The whole program as it is, with Microsoft's credentials and host names: only the way to the topic is another. */
describe('keyturn as a process, with a consumer on Event Grid', () => {
  let identity: AzureIdentity
  let double: EventGridDouble
  let front: TlsFront
  let keyturn: Keyturn
  let there: GridTopic
  before(async () => {
    const authority = new Authority()
    identity = await AzureIdentity.open()
    double = await EventGridDouble.open(identity)
    front = await TlsFront.open(authority, new Map([[host, double.port]]))
    keyturn = await Keyturn.open(new URL('../../cli/main.js', import.meta.url))
    const ca = join(keyturn.folder, 'ca.pem')
    await writeFile(ca, authority.ca)
    keyturn.processes = true
    keyturn.env = {
      ...identity.env,
      ...front.env,
      AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
      NODE_EXTRA_CA_CERTS: ca,
      NODE_OPTIONS: `--require=${join(repository, 'test/harness/gcp-redirect.cjs')}`,
      KEYTURN_CONFIG: 'file:config',
    }
    const consumers = { billing: { kind: 'event-grid', topic } }
    await keyturn.ok(['init'])
    await keyturn.ok(['put', 'file:config'], { stdin: JSON.stringify({ consumers }) })
    await keyturn.ok(['put', 'file:key'], { stdin: value })
    await keyturn.ok(['adopt', 'file:key', '--rotator', 'random', 'form=api-key', 'spelling=change', 'consumers=billing'])
  })
  after(async () => {
    await keyturn?.close()
    await front?.close()
    await double?.close()
    await identity?.close()
  })
  beforeEach(() => {
    identity.reset()
    there = double.makeTopic(host)
  })
  const doctor = async (): Promise<Finding | undefined> => {
    const { stdout } = await keyturn.run(['--json', 'doctor'])
    const { findings } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as { findings: readonly Finding[] }
    return findings.find(({ what }) => what === 'consumer billing')
  }

  it('tells the topic of a rotation, without a value', async () => {
    assert.equal((await keyturn.ok(['rotate', 'file:key'])).outcome, 'published')
    const [event] = there.taken.filter(({ subject }) => subject === 'file:key').slice(-1)
    assert.equal((event?.data as { cause?: string } | undefined)?.cause, 'rotation')
    assert.ok(!JSON.stringify(there.taken).includes('the-first-value'))
    assert.ok(!keyturn.said.includes('the-first-value') && !keyturn.said.includes('msi.'))
  })

  it('doctor sends nothing: it says what it could not ask, and what is wrong without credentials', async () => {
    const found = await doctor()
    assert.deepEqual(
      [found?.level, found?.says],
      ['good', `event-grid: can be told, as far as can be asked: only an event shows whether ${topic} takes one`],
    )
    identity.hasOwn = false
    const refused = await doctor()
    assert.deepEqual([refused?.level, refused?.code], ['wrong', 'bad_config'])
    assert.match(refused?.says ?? '', /No credentials of Azure/)
    assert.deepEqual(there.taken, [])
  })
})
