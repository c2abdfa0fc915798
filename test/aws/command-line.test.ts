import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Retiring, Seen } from '../../shared/core/ports/store.js'
import type { CredentialId, VersionId } from '../../shared/core/ports/words.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { adopt, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { rotateOrFollow } from '../../shared/lifecycle/service/start.js'
import { journalKeys, notesOf, writeNotes } from '../../shared/stores/aws-secrets-manager/tags.js'
import { AwsWorld, functionArn, resetRoles } from '../harness/aws-world.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles } from '../harness/postgres-world.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

describe('AWS from the command line, on a real PostgreSQL', { skip }, () => {
  let server: PostgresServer
  let world: AwsWorld
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  beforeEach(async () => {
    await resetRoles(server)
    world = await AwsWorld.open(server)
  })
  afterEach(() => world.close())
  after(async () => {
    await server?.stop()
    await removeCopies()
  })
  /** Without the service's own rotation. */
  const bare = (name: string, user: string, tags: Readonly<Record<string, string>> = {}): string => {
    const arn = world.make(name, world.value(user), { 'keyturn-rotator': 'postgres', ...tags })
    world.double.find({ SecretId: arn }).rotation.enabled = false
    return arn
  }
  const request = (ref: string) => ({ kind: 'rotate', ref, at: world.env.now() }) as const

  it('runs our own engine where no rotation is configured, and leaves no mark behind; again with another token', async () => {
    const arn = bare('own', 'app')
    for (let turn = 0; turn < 2; turn++) {
      const { outcome } = await rotateOrFollow(world.deps(), world.store, request('aws:own'))
      assert.equal(outcome, 'published')
      assert.ok(await logsIn(server, 'app', world.loginOf(arn).password))
      world.skewMs += 7_200_000
    }
    assert.deepEqual(Object.values(world.stagesOf(arn)).flat().sort(), ['AWSCURRENT', 'AWSPREVIOUS'])
  })

  it('goes on with a value that a killed process staged', async () => {
    const arn = bare('killed', 'app')
    await rotate(world.deps(), { ...request('aws:killed'), step: 'create' })
    const pending = world.loginOf(arn, 'AWSPENDING').password
    assert.equal((await rotate(world.deps(), request('aws:killed'))).outcome, 'published')
    assert.equal(world.loginOf(arn).password, pending)
  })

  it("starts the service's own rotation where there is one, and follows it", async () => {
    const arn = world.make('native', world.value('app'))
    await assert.rejects(rotateOrFollow(world.deps(), world.store, request('aws:native')), {
      code: 'bad_policy',
      message: /was not adopted/,
    })
    await world.store.setPolicy(await world.store.resolve('aws:native'), { 'keyturn-rotator': 'postgres' })
    const said: string[] = []
    const asked = { ...request('aws:native'), reason: 'somebody left' }
    const result = await rotateOrFollow(world.deps(), world.store, asked, (line) => said.push(line))
    assert.equal(result.outcome, 'published')
    assert.deepEqual(
      world.audit.filter(({ effect }) => effect === 'store.startNative').map(({ phase, ref, reason }) => [phase, ref, reason]),
      ['intent', 'outcome'].map((phase) => [phase, 'aws:native', 'somebody left']),
    )
    assert.deepEqual(world.stagesOf(arn)[String(result.version)], ['AWSCURRENT'])
    assert.ok(said.length >= 2)
    assert.doesNotMatch(JSON.stringify((await statusOf(world.deps(), 'aws:native')).next), /not adopted/)
  })

  it('one that nothing rotates and nobody adopted is refused before anything is touched', async () => {
    const arn = world.make('unadopted', world.value('app'))
    world.double.find({ SecretId: arn }).rotation.enabled = false
    const before_ = world.loginOf(arn)
    for (const kind of ['rotate', 'emergency'] as const)
      await assert.rejects(rotateOrFollow(world.deps(), world.store, { ...request('aws:unadopted'), kind, reason: 'leak' }), {
        code: 'bad_policy',
        message: /was not adopted/,
      })
    assert.deepEqual(world.loginOf(arn), before_)
  })

  it('a rotation does not end because one look still shows the state before it began', async () => {
    const arn = world.make('slow', world.value('app'), { 'keyturn-rotator': 'postgres' })
    const invoke = world.double.functions.get(functionArn)
    world.double.functions.set(functionArn, async (event) => {
      await delay(1500)
      return invoke?.(event)
    })
    let looks = 0
    world.double.fault = ({ name }) => {
      if (name === 'RotateSecret') looks = 1
      return looks > 0 && name === 'DescribeSecret' && looks++ <= 1 ? 'stale' : undefined
    }
    assert.equal((await rotateOrFollow(world.deps(), world.store, request('aws:slow'))).outcome, 'published')
    assert.ok(await logsIn(server, 'app', world.loginOf(arn).password))
  })

  it('adopts, announces into tags, rolls back, and reads everything again with all tags deleted', async () => {
    world.make('admin', world.adminValue())
    const arn = bare('pair', 'plain', { 'keyturn-strategy': 'alternate', 'keyturn-admin': 'aws:admin', 'keyturn-differences': 'report' })
    assert.ok((await adopt(world.deps(), world.store, 'aws:pair', {})).logsIn)
    await rotate(world.deps(), request('aws:pair'))
    assert.equal((await announce(world.deps(), 'aws:pair')).outcome, 'announced')
    assert.match(world.double.find({ SecretId: arn }).tags.get('keyturn-retire-1') ?? '', /^plain /)
    const { username } = world.loginOf(arn)
    await rotate(world.deps(), { ...request('aws:pair'), kind: 'rollback', reason: 'test' })
    assert.notEqual(world.loginOf(arn).username, username)
    assert.ok((await verifyCurrent(world.deps(), 'aws:pair')).logsIn)
    // The version that is still to be retired was pushed off AWSPREVIOUS: a label keeps the service from dropping it.
    assert.deepEqual(Object.values(world.stagesOf(arn)).flat().sort(), ['AWSCURRENT', 'AWSPREVIOUS', 'KEYTURN_RETIRING_1'])
    for (const key of journalKeys) world.double.find({ SecretId: arn }).tags.delete(key)
    const done: string[] = []
    for await (const { ref, action } of sweep(world.deps())) if (ref === 'aws:pair') done.push(action)
    assert.ok(done.includes('announce'))
    assert.deepEqual(
      Object.values(world.stagesOf(arn)).flat().sort(),
      ['AWSCURRENT', 'AWSPREVIOUS'],
      'nothing tells any more what the label was for',
    )
  })
})

describe('the journal in tags', () => {
  const entry = (id: string): Retiring => ({
    id: id as CredentialId,
    version: 'v-0123456789' as VersionId,
    since: 1_795_000_000_000,
    notBefore: 1_795_003_600_000,
    state: 'waiting',
    seenInUse: 1_795_000_000_001,
    holder: 'cli-1 / odd',
    leaseUntil: 5,
  })
  const seen: Seen = { version: 'v-1' as VersionId, phase: 'drained', at: 1_795_000_000_000, received: true, code: 'delivery_failed' }

  it('is what it was, in legal characters only', () => {
    const notes = {
      announced: { version: 'v-1' as VersionId, publishedAt: 1_795_000_000_000, checkedAt: 7, checkedCode: 'target_denied' as const },
      retiring: [entry('app'), entry('ü "%/=')],
      seen: { billing: seen },
    }
    const { set, gone } = writeNotes(notes, {})
    for (const text of Object.values(set)) assert.match(text, /^[A-Za-z0-9 +\-=._:/@]{1,256}$/)
    assert.deepEqual(notesOf(set), notes)
    assert.deepEqual(gone, [])
    assert.deepEqual(writeNotes({ retiring: [], seen: {} }, set).gone, Object.keys(set))
    assert.deepEqual(writeNotes(notes, set).set, {})
  })

  it('that somebody edited is as if it were not there; what does not fit is an error, but for what is only a cache', () => {
    assert.deepEqual(notesOf({ 'keyturn-announced': 'nonsense', 'keyturn-retire-1': 'x', 'keyturn-seen-1': '///' }), {
      retiring: [],
      seen: {},
    })
    assert.equal(notesOf({ 'keyturn-grace': '1h' }), null)
    assert.throws(() => writeNotes({ retiring: [1, 2, 3, 4].map((n) => entry(`id-${n}`)), seen: {} }, {}), { code: 'too_large' })
    assert.throws(() => writeNotes({ retiring: [entry('ü'.repeat(60))], seen: {} }, {}), { code: 'too_large' })
    const { received: _, ...cached } = seen
    const said = { ...seen, evidence: 'the operator could not sync it (ü/=)' }
    assert.deepEqual(notesOf(writeNotes({ retiring: [], seen: { web: said } }, {}).set)?.seen.web, said)
    const full = { ...seen, evidence: 'x'.repeat(240) }
    assert.deepEqual(
      notesOf(writeNotes({ retiring: [], seen: { web: full } }, {}).set)?.seen.web,
      seen,
      'a reason that does not fit is omitted',
    )
    const many = Object.fromEntries(Array.from({ length: 30 }, (_one, n) => [`target-${n}`, cached]))
    const back = notesOf(writeNotes({ retiring: [], seen: { ...many, evidence: said } }, {}).set)
    assert.ok(back?.seen.evidence && Object.keys(back.seen).length > 4)
  })
})
