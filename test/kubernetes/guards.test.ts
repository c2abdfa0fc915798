import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Consumer, Notifier } from '../../shared/core/ports/notifier.js'
import type { Seen } from '../../shared/core/ports/store.js'
import { storeKind } from '../../shared/core/refs.js'
import { asPods, asWorkload } from '../../shared/notifiers/kubernetes/objects.js'
import { markOf } from '../../shared/notifiers/kubernetes/sync.js'
import { isOwned, isRolledOut, oldPods, revisionsOf } from '../../shared/notifiers/kubernetes/workload.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import { Lab, type Room, rotatorToken } from '../harness/kube/lab.js'
import { until } from '../harness/kube/server.js'
import { Authority } from '../harness/pg-certificates.js'
import { follow, never } from './looks.js'

/** One guard each, without which everything else would still look right. */
describe('kubernetes, guards one by one (fake API server)', () => {
  let lab: Lab
  let room: Room
  const notifier: Notifier = create()
  const plain = { workloads: [], restart: 'none', soakSeconds: 0 }
  before(async () => {
    lab = await Lab.open('fake')
  })
  afterEach(async () => {
    if (lab.fake) lab.fake.fault = () => undefined
    await room.close()
  })
  after(() => lab?.close())
  const open = async (): Promise<void> => {
    room = await lab.room()
    await room.makeStore(true)
    await until('the first sync', async () => (await lab.api.get(`/api/v1/namespaces/${room.namespace}/secrets/db`)) !== undefined)
  }

  it('more pods than one page holds: the old one on the last page counts', async () => {
    await open()
    await room.makeWorkload('Deployment', { replicas: 0 })
    const change = room.publish()
    const { key } = markOf(change, 'db')
    const pods = `/api/v1/namespaces/${room.namespace}/pods`
    const make = (name: string, annotations: object) =>
      lab.api.must('POST', pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { app: 'web' }, annotations },
        spec: { containers: [] },
      })
    await lab.api.patch(room.workloadPath('Deployment'), { spec: { template: { metadata: { annotations: { [key]: change.id } } } } })
    for (let index = 0; index < 240; index++) await make(`new-${String(index).padStart(3, '0')}`, { [key]: change.id })
    await make('zz-old', {})
    await never(notifier, room, change, room.consumer(), 'drained', /1 old pod \(zz-old/)
  })

  it('the mark is written for what was read: a sync that came in between is not taken for one after it', async () => {
    await open()
    let changed = false
    if (lab.fake)
      lab.fake.fault = (call) => {
        if (changed || !call.startsWith('PATCH') || !call.endsWith('/externalsecrets/db')) return undefined
        changed = true
        lab.fake?.store.patch(room.externalSecrets(), 'db', { status: { syncedResourceVersion: '1-synced-in-between' } }, 'status')
        return undefined
      }
    const change = room.publish()
    const first = await notifier.advance(change, room.consumer(plain), room.context())
    assert.match(first.evidence, /changed meanwhile/)
  })

  it('its entries are found by what other tools call the secret, whatever people read', async () => {
    await open()
    const data = [
      { secretKey: 'password', remoteRef: { key: 'db', property: 'password' } },
      { secretKey: 'user', remoteRef: { key: 'api', property: 'username' } },
    ]
    await room.makeExternalSecret({ data, dataFrom: [], target: { name: 'rendered' } }, 'single')
    const ref = { store: storeKind('gcp'), key: 'projects/1/secrets/db', shown: 'gcp:projects/p/secrets/db', name: 'db' } as const
    await follow(notifier, room, { ...room.publish(), ref }, room.consumer({ ...plain, externalSecret: 'single' }), 'drained')
  })

  it('an old value that the operator read: asked again after five minutes, and only then', async () => {
    await open()
    room.operator.fault = 'stale'
    const change = room.publish()
    const consumer = room.consumer(plain)
    await follow(notifier, room, change, consumer, 'synced')
    room.operator.fault = undefined
    // The marks say when it was asked, so that a lost note takes nothing away.
    const later = async (ms: number) => {
      room.env.time += ms
      return notifier.advance(change, consumer, room.context())
    }
    assert.equal((await later(60_000)).phase, 'synced')
    assert.match((await later(241_000)).evidence, /asked to sync again/)
    room.env.time = Date.now() + 60_000
    await follow(notifier, room, change, consumer, 'drained')
  })

  it('the same behind a ClusterExternalSecret, beside the request for another secret', async () => {
    await open()
    await room.makeParent('guarded')
    const own = '/apis/external-secrets.io/v1/clusterexternalsecrets/guarded'
    const tokens = async () => (await lab.api.must('GET', own)).metadata?.annotations?.['external-secrets.io/force-sync']?.split(',') ?? []
    const consumer = room.consumer({ ...plain, externalSecret: undefined, clusterExternalSecret: 'guarded' })
    const change = room.publish()
    await follow(
      notifier,
      room,
      { ...change, ref: { store: storeKind('file'), key: 'other', shown: 'file:other', name: 'other' } },
      room.consumer({ ...plain, soakSeconds: 3600, externalSecret: undefined, clusterExternalSecret: 'guarded', remoteKey: 'db' }),
      'verified',
    )
    room.operator.fault = 'stale'
    await follow(notifier, room, change, consumer, 'synced')
    room.operator.fault = undefined
    const [others, first] = await tokens()
    room.env.time += 301_000
    assert.match((await notifier.advance(change, consumer, room.context())).evidence, /asked to sync again/)
    const [still, second] = await tokens()
    const request = first?.split('~')[0]
    assert.ok(still === others && second !== first && second?.startsWith(`${request}~`), `${first} ${second}`)
    room.env.time = Date.now() + 60_000
    await follow(notifier, room, change, consumer, 'drained')
    assert.equal((await tokens())[1], second, 'once')
  })

  it('marks of a version that wrote no time into them: then the receipt says since when', async () => {
    await open()
    room.operator.fault = 'stale'
    const change = room.publish()
    const consumer = room.consumer(plain)
    await follow(notifier, room, change, consumer, 'synced')
    const { before: key } = markOf(change, 'db')
    const path = `${room.externalSecrets()}/db`
    await lab.api.patch(path, { metadata: { annotations: { [key]: '1-older' } } })
    await follow(notifier, room, change, consumer, 'synced')
    const since = (agoMs: number) => ({
      ...room.context(),
      receipt: { version: change.version, phase: 'synced', at: room.env.time - agoMs } as const,
    })
    assert.equal((await notifier.advance(change, consumer, since(299_000))).phase, 'synced')
    await until('the request', async () => {
      const { evidence } = await notifier.advance(change, consumer, since(301_000))
      return /asked to sync again/.test(evidence)
    })
  })

  it('a template that something sets back: said, and restarted again at most once an hour', async () => {
    await open()
    await room.makeWorkload('Deployment')
    const path = room.workloadPath('Deployment')
    const generation = async () => (await lab.api.must('GET', path)).metadata?.generation ?? 0
    const change = room.publish()
    const { key } = markOf(change, 'db')
    let receipt: Seen | undefined
    const look = async () => {
      const state = await notifier.advance(change, room.consumer(), { ...room.context(), ...(receipt ? { receipt } : {}) })
      if (receipt?.phase !== state.phase) receipt = { version: change.version, phase: state.phase, at: room.env.time }
      return state
    }
    await until('the mark', async () => (await look()).phase === 'restarted')
    const first = await generation()
    const evidence = new Set<string>()
    for (let looks = 0; looks < 20; looks++) {
      await lab.api.patch(path, { spec: { template: { metadata: { annotations: { [key]: null } } } } })
      evidence.add((await look()).evidence)
    }
    assert.match([...evidence].join(), /Deployment\/web was restarted, and something has set its template back/)
    assert.equal(await generation(), first + 1, 'what was set back, and nothing of ours')
    room.env.time += 3_601_000
    await look()
    assert.equal(await generation(), first + 2, 'once more')
  })

  it('a marker whose version before cannot be read proves nothing', async () => {
    await open()
    const change = room.publish()
    const marked = room.consumer({ ...plain, marker: { key: 'password', field: 'password' } })
    const blind = { ...room.context(), before: async () => undefined }
    await follow(notifier, room, change, room.consumer({ ...plain, soakSeconds: 3600 }), 'verified')
    assert.match((await notifier.advance(change, marked, blind)).evidence, /the previous version cannot be read/)
  })

  it('an answer of more than 8 MiB is given up, whoever sends it', async () => {
    await open()
    const authority = new Authority()
    const { cert, key } = authority.issue(['DNS:localhost'])
    const server = createServer({ cert, key }, (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const piece = Buffer.alloc(1024 * 1024, 32)
      let sent = 0
      const more = () => {
        while (sent < 64 && response.write(piece)) sent++
        if (sent++ < 64) response.once('drain', more)
      }
      response.on('error', () => {})
      more()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const at = `https://localhost:${(server.address() as AddressInfo).port}`
    const consumer = room.consumer(plain, { server: at, ca: authority.ca })
    await assert.rejects(notifier.advance(room.publish(), consumer, room.context()), {
      code: 'delivery_failed',
      message: /8 MiB|too (large|long)|more than/,
    })
    server.closeAllConnections()
    server.close()
  })

  it('an API server that never answers, or never ends its answer: said after how long, and what to do', async () => {
    await open()
    const authority = new Authority()
    const { cert, key } = authority.issue(['DNS:localhost'])
    for (const begins of [false, true]) {
      const server = createServer({ cert, key }, (_, response) => {
        if (begins) response.writeHead(200, { 'content-type': 'application/json' }).write('{')
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const at = `https://localhost:${(server.address() as AddressInfo).port}`
      const consumer = room.consumer({ ...plain, timeoutMs: 200 }, { server: at, ca: authority.ca })
      await assert.rejects(notifier.advance(room.publish(), consumer, room.context()), {
        code: 'delivery_failed',
        message: /could not be asked for \(no whole answer within 0\.2 s\)\.$/,
        next: /longer timeoutMs/,
      })
      const found = await notifier.preflight(consumer, room.context())
      assert.ok(found.verdict === 'unknown' && /within 0\.2 s/.test(found.why), JSON.stringify(found))
      server.closeAllConnections()
      server.close()
    }
  })

  it('a parent that changed since it was read is not written to', async () => {
    await open()
    await room.makeParent('raced')
    const own = '/apis/external-secrets.io/v1/clusterexternalsecrets'
    let changed = false
    if (lab.fake)
      lab.fake.fault = (call) => {
        if (changed || call !== `PATCH ${own}/raced`) return undefined
        changed = true
        lab.fake?.store.patch(
          own,
          'raced',
          { metadata: { annotations: { 'external-secrets.io/force-sync': 'aaaaaaaaaaaa=of-another' } } },
          'main',
        )
        return undefined
      }
    const consumer = room.consumer({ ...plain, externalSecret: undefined, clusterExternalSecret: 'raced' })
    const change = room.publish()
    await notifier.advance(change, consumer, room.context())
    assert.ok(changed)
    room.env.time = Date.now() + 60_000
    await follow(notifier, room, change, consumer, 'drained')
    const text = (await lab.api.must('GET', `${own}/raced`)).metadata?.annotations?.['external-secrets.io/force-sync'] ?? ''
    assert.match(text, /aaaaaaaaaaaa=of-another,/, 'what another wrote meanwhile is still there')
  })

  it('a mark that is taken away is set again later, not at once, and that is said', async () => {
    await open()
    const change = room.publish()
    const context = { ...room.context(), receipt: { version: change.version, phase: 'requested', at: room.env.time } as const }
    const { evidence, again = 0 } = await notifier.advance(change, room.consumer(plain), context)
    assert.match(evidence, /removes our mark/)
    assert.ok(again - room.env.time >= 15_000)
  })

  it('refused once (401): files and certificates are read anew at once', async () => {
    await open()
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-token-'))
    const file = join(folder, 'token')
    await writeFile(file, 'token-that-ended-0123456789')
    const consumer: Consumer = room.consumer(plain, { token: undefined, tokenFile: file })
    const change = room.publish()
    await assert.rejects(notifier.advance(change, consumer, room.context()), /401/)
    await writeFile(file, rotatorToken)
    assert.equal((await notifier.advance(change, consumer, room.context())).phase, 'requested')
    await rm(folder, { recursive: true })
  })

  it('a parent and an ExternalSecret of one name: each has its own restart of a workload that reads both', async () => {
    await open()
    await room.makeParent('db')
    await room.makeWorkload('Deployment')
    const generation = async () => (await lab.api.must('GET', room.workloadPath('Deployment'))).metadata?.generation ?? 0
    const change = room.publish()
    await follow(notifier, room, change, room.consumer(), 'drained')
    const before_ = await generation()
    await follow(notifier, room, change, room.consumer({ externalSecret: undefined, clusterExternalSecret: 'db' }), 'drained')
    assert.equal(await generation(), before_ + 1)
  })

  it('templates and decoding are refused before a rotation, also where the remote key is not named', async () => {
    await open()
    await room.makeExternalSecret({ target: { name: 'odd', template: { data: { url: '{{ .password }}' } } } }, 'odd')
    const checked = await notifier.preflight(room.consumer({ ...plain, externalSecret: 'odd' }), room.context())
    assert.ok(checked.verdict === 'refuse' && /could not be verified/.test(checked.why), JSON.stringify(checked))
  })
})

describe('what a workload and its pods say', () => {
  const change = { id: 'c1', ref: { store: storeKind('file'), key: 'db', shown: 'file:db', name: 'db' } } as unknown as Parameters<
    typeof markOf
  >[0]
  const mark = markOf(change, 'db')
  const selector = { matchLabels: { app: 'web' } }
  const meta = { name: 'web', uid: 'uid-web', generation: 2, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' }
  const done = { replicas: 2, updatedReplicas: 2, availableReplicas: 2, readyReplicas: 2, currentRevision: 'b', updateRevision: 'b' }
  const workload = (status: object) => asWorkload({ metadata: meta, spec: { replicas: 2, selector, template: {} }, status })
  const pod = (name: string, more: object, phase = 'Running') => ({ metadata: { ...meta, name, uid: name, ...more }, status: { phase } })
  const pods = (...items: object[]) => asPods({ metadata: {}, items })

  it('each number of a rollout counts', () => {
    const seen = { ...done, observedGeneration: 2 }
    const daemons = { observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 }
    for (const [kind, status, keys] of [
      ['Deployment', seen, ['replicas', 'updatedReplicas', 'availableReplicas']],
      ['StatefulSet', seen, ['updatedReplicas', 'readyReplicas']],
      ['DaemonSet', daemons, ['updatedNumberScheduled', 'numberAvailable']],
    ] as const) {
      assert.equal(isRolledOut(kind, workload(status)), true)
      for (const key of keys) assert.equal(isRolledOut(kind, workload({ ...status, [key]: 1 })), false, `${kind} ${key}`)
    }
    assert.equal(isRolledOut('StatefulSet', workload({ ...seen, currentRevision: 'a' })), false)
    assert.equal(isRolledOut('Deployment', workload({ ...seen, replicas: 3 })), false)
  })

  it('numbers of a template that the controller has not seen yet say nothing', () => {
    for (const kind of ['Deployment', 'StatefulSet'] as const) {
      assert.equal(isRolledOut(kind, workload({ ...done, observedGeneration: 1 })), false)
      assert.equal(isRolledOut(kind, workload({ ...done, observedGeneration: 2 })), true)
    }
  })

  it('pods that ended for good hold nothing; those that are ending do', () => {
    const all = pods(
      pod('failed', {}, 'Failed'),
      pod('succeeded', {}, 'Succeeded'),
      pod('ending', { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      pod('new', { annotations: { [mark.key]: mark.change } }),
      pod('old', {}),
    )
    assert.deepEqual(
      oldPods(all, mark).map(({ metadata }) => metadata.name),
      ['ending', 'old'],
    )
  })

  it('whose pods they are: of a Deployment by the name of its ReplicaSet', () => {
    const of = (kind: string, name: string, uid: string) =>
      pod('p', { labels: { 'pod-template-hash': 'abc' }, ownerReferences: [{ kind, name, uid, controller: true }] })
    const owned = (one: object) => pods(one).items.map((each) => isOwned(each, workload(done)))[0]
    assert.deepEqual(
      [of('ReplicaSet', 'web-abc', 'r'), of('ReplicaSet', 'web-canary-abc', 'r'), of('StatefulSet', 'any', 'uid-web'), pod('bare', {})].map(
        owned,
      ),
      [true, false, true, false],
    )
  })

  it('together ends revisions of its own pods, by their owner, whatever else its selector finds', () => {
    const owned = (uid: string, revision: string) => ({
      labels: { 'controller-revision-hash': revision },
      ownerReferences: [{ kind: 'StatefulSet', name: 'web', uid, controller: true }],
    })
    const all = pods(
      pod('own', owned('uid-web', 'a')),
      pod('foreign', owned('uid-other', 'x')),
      pod('newest', owned('uid-web', 'b')),
      pod('told', { ...owned('uid-web', 'c'), deletionTimestamp: '2026-01-01T00:00:00Z' }),
    )
    assert.deepEqual(revisionsOf(oldPods(all, mark), workload(done)), ['a'])
  })
})
