import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import fc from 'fast-check'
import { RotationError } from '../../shared/core/errors.js'
import { crc32c } from '../../shared/stores/gcp-secret-manager/crc32c.js'
import {
  endpointOf,
  gcloudSecrets,
  hostOf,
  parentOf,
  readName,
  readProject,
  readSecret,
  refOf,
  resourceOf,
  saysProject,
} from '../../shared/stores/gcp-secret-manager/names.js'
import { crc32c as bitByBit } from '../harness/gcp-secret-manager/model.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

describe('names of secrets in Google Cloud', () => {
  const db = { project: 'my-project', secret: 'db' }
  const read: readonly (readonly [text: string, name: object])[] = [
    ['gcp:projects/my-project/secrets/db', db],
    ['projects/my-project/secrets/db', db],
    ['gcp:db', { project: 'home-1', secret: 'db' }],
    ['db', { project: 'home-1', secret: 'db' }],
    ['projects/123/secrets/db/versions/7', { project: '123', secret: 'db', version: '7' }],
    ['gcp:projects/p/secrets/db/versions/current', { project: 'p', secret: 'db', version: 'current' }],
    ['gcp:projects/p/locations/europe-west1/secrets/db', { project: 'p', location: 'europe-west1', secret: 'db' }],
    ['projects/1/locations/us-east1/secrets/a_B-9/versions/12', { project: '1', location: 'us-east1', secret: 'a_B-9', version: '12' }],
    ['//secretmanager.googleapis.com/projects/123/secrets/db', { project: '123', secret: 'db' }],
    ['gcp:projects/example.com:old/secrets/db', { project: 'example.com:old', secret: 'db' }],
    [`gcp:${'x'.repeat(255)}`, { project: 'home-1', secret: 'x'.repeat(255) }],
  ]
  for (const [text, name] of read) it(`reads ${text.slice(0, 70)}`, () => assert.deepEqual(readName(text, 'home-1'), name))

  const refused = [
    'aws:db',
    'gcp:',
    'gcp:a/b',
    'gcp:a.b',
    'gcp:ä',
    'gcp:projects/p',
    'gcp:projects/p/secrets/',
    'gcp:projects//secrets/db',
    'gcp:projects/P/secrets/db',
    'gcp:projects/p/secrets/db/versions/0',
    'gcp:projects/p/secrets/db/versions/1st',
    'gcp:projects/p/secrets/db/versions/7/x',
    'gcp:projects/p/locations//secrets/db',
    'gcp:projects/p/locations/EU/secrets/db',
    'gcp:projects/p/secrets/db?x',
    'gcp:projects/p/secrets/db\n',
    `gcp:${'x'.repeat(256)}`,
    '//other.googleapis.com/projects/p/secrets/db',
  ]
  for (const text of refused)
    it(`refuses ${JSON.stringify(text.slice(0, 60))}`, () =>
      assert.throws(
        () => readName(text, 'home-1'),
        (error) => error instanceof RotationError && error.code === 'bad_event' && error.field === 'ref',
      ))

  it('a short name without a project says which variable names one', () =>
    assert.throws(
      () => readName('gcp:db'),
      (error) => error instanceof RotationError && error.code === 'bad_event' && /GOOGLE_CLOUD_PROJECT/.test(error.next),
    ))

  it('a project or a location that cannot be one is named, on one line', () => {
    for (const [text, why] of [
      ['gcp:projects/My\nShop/secrets/db', /: "My Shop" is not the id or the number of a project\.$/],
      ['gcp:projects/p/locations/EU/secrets/db', /: "EU" is not the name of a location, such as europe-west3\.$/],
    ] as const)
      assert.throws(
        () => readName(text),
        (error: RotationError) => error.code === 'bad_event' && why.test(error.message),
      )
  })

  it('the project of the process is checked, with the variable that names it', () => {
    assert.deepEqual(
      [readProject('shop-1', 'X'), readProject('123', 'X'), readProject('example.com:old', 'X')],
      ['shop-1', '123', 'example.com:old'],
    )
    for (const text of ['My Shop', 'Shop', 'projects/shop', 'shop\n'])
      assert.throws(() => readProject(text, 'X'), { code: 'bad_config', field: 'X' })
  })

  it('a ref names no version, and what an event carries may', () => {
    assert.throws(() => readSecret('gcp:projects/p/secrets/db/versions/3'), { code: 'bad_event', next: 'Write gcp:projects/p/secrets/db.' })
    for (const text of ['projects/p/secrets/db/versions/3', '//secretmanager.googleapis.com/projects/p/secrets/db/versions/3'])
      assert.deepEqual(readSecret(text), { project: 'p', secret: 'db' })
  })

  it('a name that is not allowed needs no project to be refused', () => {
    assert.throws(() => saysProject('gcp:a.b'), { code: 'bad_event' })
    assert.deepEqual([saysProject('gcp:db'), saysProject('gcp:projects/p/secrets/db')], [false, true])
  })

  it('commands of gcloud say the project and the location', () => {
    assert.equal(gcloudSecrets('update', db, '--x=1'), 'gcloud secrets update db --project=my-project --x=1')
    const regional = { ...db, location: 'europe-west1' }
    assert.equal(gcloudSecrets('describe', regional), 'gcloud secrets describe db --project=my-project --location=europe-west1')
    assert.deepEqual([hostOf(db), hostOf(regional)], ['secretmanager.googleapis.com', 'secretmanager.europe-west1.rep.googleapis.com'])
  })

  it('writes what the API takes', () => {
    const regional = { project: 'p', location: 'europe-west1', secret: 'db' }
    assert.deepEqual([parentOf(db), resourceOf(db), endpointOf(db)], ['projects/my-project', 'projects/my-project/secrets/db', undefined])
    assert.equal(parentOf(regional), 'projects/p/locations/europe-west1')
    assert.equal(resourceOf(regional), 'projects/p/locations/europe-west1/secrets/db')
    assert.equal(endpointOf(regional), 'secretmanager.europe-west1.rep.googleapis.com')
  })

  it('id and number of a project are one key; people see what they wrote, and other tools the id of the secret', async () => {
    const double = await GcpSecretManagerDouble.open(() => 0)
    const client = new SecretManagerServiceClient(double.clientOptions)
    await client.createSecret({ parent: 'projects/p', secretId: 'db', secret: { replication: { automatic: {} } } })
    await client.createSecret({ parent: 'projects/p/locations/europe-west1', secretId: 'db', secret: {} })
    const refFor = async (text: string) => {
      const name = readName(text, 'p')
      const [{ name: answered }] = await client.getSecret({ name: resourceOf(name) })
      return refOf(name, answered ?? '')
    }
    const refs = await Promise.all(['gcp:db', 'projects/p/secrets/db', 'projects/123456789012/secrets/db/versions/7'].map(refFor))
    assert.deepEqual([...new Set(refs.map(({ key }) => key))], ['projects/123456789012/secrets/db'])
    assert.deepEqual(
      refs.map(({ shown }) => shown),
      ['gcp:projects/p/secrets/db', 'gcp:projects/p/secrets/db', 'gcp:projects/123456789012/secrets/db'],
    )
    assert.deepEqual([refs[0]?.name, refs[0]?.store], ['db', 'gcp'])
    const regional = await refFor('projects/p/locations/europe-west1/secrets/db')
    assert.equal(regional.key, 'projects/123456789012/locations/europe-west1/secrets/db')
    await client.close()
    await double.close()
  })
})

describe('CRC-32C', () => {
  it('gives the values of RFC 3720, and of the check text', () => {
    const rising = Buffer.from(Array.from({ length: 32 }, (_, n) => n))
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a91_36aa)
    assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8_ab43)
    assert.equal(crc32c(rising), 0x46dd_794e)
    assert.equal(crc32c(Buffer.from(rising).reverse()), 0x113f_db5c)
    assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283)
    assert.equal(crc32c(Buffer.alloc(0)), 0)
  })

  it('is what the polynomial gives bit by bit, for any bytes', () =>
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => crc32c(bytes) === bitByBit(bytes))))
})
