import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { createHandler as createInvoke } from '../../functions/gcp/invoke.js'
import { PrivateCheck, privateCheckFrom } from '../../functions/gcp/private.js'
import { createHandler as createRotate } from '../../functions/gcp/rotate.js'
import { createHandler as createSweep } from '../../functions/gcp/sweep.js'
import { createHandler as createWork } from '../../functions/gcp/work.js'
import { RotationError } from '../../shared/core/errors.js'
import { RunService } from '../../shared/google/run-service.js'
import { FakeEnv } from '../harness/fake-env.js'
import { gcpHarness, openGcp } from '../harness/gcp.js'
import { eventHeaders, messageOf, ServedFunction } from '../harness/gcp-functions.js'
import { GoogleMachine } from '../harness/gcp-machine.js'
import { MemoryQueue } from '../harness/memory-queue.js'
import { type RestAnswer, RestDouble, refusal } from '../harness/rest-double.js'

const name = 'projects/p/locations/europe-west1/services/keyturn-work'
const invoker = 'serviceAccount:tasks@p.iam.gserviceaccount.com'
const minuteMs = 60_000

let machine: GoogleMachine
let run: RestDouble
let env: FakeEnv
/** What Cloud Run has. */
let members: readonly string[]
let isDisabled: boolean
before(async () => {
  machine = await GoogleMachine.open()
})
after(() => machine.close())
beforeEach(async () => {
  env = new FakeEnv()
  members = [invoker]
  isDisabled = false
  run = await RestDouble.open()
  run.answer = ({ path }): RestAnswer => {
    if (path === `/v2/${name}`) return { status: 200, body: { name, invokerIamDisabled: isDisabled } }
    if (path !== `/v2/${name}:getIamPolicy`) return refusal(404, 'NOT_FOUND')
    return { status: 200, body: { etag: 'x', bindings: [{ role: 'roles/run.invoker', members }] } }
  }
})
afterEach(() => run.close())
const service = (one = name): RunService => new RunService({ env, name: one, endpoint: run.endpoint })
const check = (): PrivateCheck => new PrivateCheck(env, () => service().whyPublic())

describe('a service of Cloud Run', () => {
  it('is private while only those may call it to whom it was granted', async () => {
    assert.equal(await service().whyPublic(), undefined)
    run.answer = ({ path }) => ({ status: 200, body: path.endsWith('Policy') ? {} : { name } }) // as the platform leaves empty fields out
    assert.equal(await service().whyPublic(), undefined)
    assert.deepEqual(
      run.calls.map(({ method, authorization }) => [method, authorization]),
      Array.from({ length: 4 }, () => ['GET', 'Bearer ya29.test']),
    )
  })

  it('is public for all users, for all that have an account, and where nobody checks', async () => {
    for (const all of ['allUsers', 'allAuthenticatedUsers']) {
      members = [invoker, all]
      assert.equal(await service().whyPublic(), `${all} has roles/run.invoker on it`)
    }
    members = [invoker]
    isDisabled = true
    assert.match((await service().whyPublic()) ?? '', /invokerIamDisabled/)
  })

  it('is not called private by an answer that says nothing', async () => {
    run.answer = () => ({ status: 200, body: 'welcome' })
    await assert.rejects(service().whyPublic(), { code: 'unavailable' })
    run.answer = () => refusal(403, 'PERMISSION_DENIED')
    await assert.rejects(service().whyPublic(), { code: 'denied', message: /run\.services\.get is denied/ })
    await assert.rejects(service(`${name}-2`).whyPublic(), { code: 'denied' })
  })
})

describe('the check at the start of an instance', () => {
  it('asks once, and again when the answer is old', async () => {
    const one = check()
    for (let count = 0; count < 5; count++) await one.assert()
    assert.equal(run.calls.length, 2)
    env.time += 61 * minuteMs
    members = ['allUsers']
    await assert.rejects(one.assert(), { code: 'denied', next: /Remove allUsers/ })
    members = [invoker]
    await assert.rejects(one.assert(), { code: 'denied' })
    env.time += minuteMs
    await one.assert()
  })

  it('logs what could not be asked, and keeps what it knows', async () => {
    const one = check()
    members = ['allUsers']
    await assert.rejects(one.assert(), { code: 'denied' })
    run.answer = () => refusal(403, 'PERMISSION_DENIED')
    env.time += 2 * minuteMs
    await assert.rejects(one.assert(), { code: 'denied' })
    assert.ok(env.lines.some((line) => JSON.stringify(line).includes('public_unchecked')))
    await assert.rejects(check().assert(), { code: 'denied', message: /run\.services\.get is denied/ }) // which knows nothing yet
    run.answer = () => refusal(503, 'UNAVAILABLE')
    await assert.rejects(check().assert(), { code: 'unavailable' })
  })

  it('is for the service that the environment names', () => {
    assert.equal(privateCheckFrom({}, env), undefined) // on another machine
    assert.throws(() => privateCheckFrom({ K_SERVICE: 'keyturn-work' }, env), { code: 'bad_config', field: 'KEYTURN_SERVICE' })
    for (const wrong of ['keyturn-work', `${name}/x`, 'projects/p/services/s'])
      assert.throws(() => privateCheckFrom({ KEYTURN_SERVICE: wrong }, env), { code: 'bad_config', field: 'KEYTURN_SERVICE' })
  })
})

describe('a function that everybody may call', () => {
  it('refuses to run, before any call of the store', async () => {
    const world = await gcpHarness()
    const given = {
      environment: { GOOGLE_CLOUD_PROJECT: 'p' },
      openStore: () => openGcp(world.double, world.env),
      openQueue: () => new MemoryQueue(),
      env: { log: () => {} },
      whyPublic: async () => 'allUsers has roles/run.invoker on it',
    }
    const posts = [createSweep, createWork, createInvoke]
    for (const create of posts) {
      const served = await ServedFunction.http(create(given))
      const { status, text } = await served.post({ action: 'status', ref: 'gcp:db' })
      assert.deepEqual([status, JSON.parse(text).code], [403, 'denied'])
      await served.close()
    }
    const rotate = await ServedFunction.events(createRotate(given))
    const attributes = { eventType: 'SECRET_ROTATE', secretId: 'projects/p/secrets/db', timestamp: '2026-01-01T00:00:00Z' }
    const seen = await rotate.post(messageOf(attributes), eventHeaders('1')) // and comes again, until somebody has corrected it
    assert.deepEqual([seen.status, seen.text], [500, 'denied'])
    await rotate.close()
    assert.equal(world.double.calls.length, 0)
    await world.close()
  })

  it('says nothing that is not its own: a fault of the program stays one', async () => {
    const broken = new PrivateCheck(env, async () => {
      throw new TypeError('broken')
    })
    await assert.rejects(broken.assert(), TypeError)
    await assert.rejects(service().whyPublic().then(assert.ok), (cause) => !(cause instanceof RotationError))
  })
})
