import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Change, Consumer, Notifier } from '../../shared/core/ports/notifier.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import { Lab, minterToken, type Room, rotatorToken } from '../harness/kube/lab.js'
import { until } from '../harness/kube/server.js'
import { suite } from '../harness/suite.js'
import { follow, never } from './looks.js'

const api: SecretRef = { store: storeKind('file'), key: 'api', shown: 'file:api', name: 'api' }

const main = { name: 'main', image: 'app:1' }
const ofDb = { name: 'db', secret: { secretName: 'db' } }
const projected = { name: 'db', projected: { sources: [{ secret: { name: 'db' } }] } }
const mount = { name: 'db', mountPath: '/db' }
const templateOf = (app: string, spec: object) => ({
  replicas: 1,
  selector: { matchLabels: { app } },
  template: { metadata: { labels: { app } }, spec },
})
const byEnv = { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }
/** How pods take a Secret so that they never see another value. */
const fixedUses: readonly (readonly [string, object, RegExp])[] = [
  ['by env', { containers: [{ ...main, env: [byEnv] }] }, /container main takes the Secret db by env \(PASSWORD\)/],
  ['by envFrom', { containers: [{ ...main, envFrom: [{ secretRef: { name: 'db' } }] }] }, /by envFrom/],
  ['by subPath', { volumes: [ofDb], containers: [{ ...main, volumeMounts: [{ ...mount, subPath: 'password' }] }] }, /by subPath \(\/db\)/],
  [
    'by subPath of a projected volume',
    { volumes: [projected], containers: [{ ...main, volumeMounts: [mount, { ...mount, mountPath: '/one', subPath: 'password' }] }] },
    /by subPath \(\/one\)/,
  ],
  [
    'by env in a second container',
    {
      volumes: [ofDb],
      containers: [
        { ...main, volumeMounts: [mount] },
        { ...main, name: 'side', env: [byEnv] },
      ],
    },
    /container side takes/,
  ],
  [
    'only in an init container',
    { volumes: [ofDb], containers: [main], initContainers: [{ ...main, name: 'copy', volumeMounts: [mount] }] },
    /only its init container copy reads/,
  ],
]
const followingUses: readonly object[] = [
  { volumes: [ofDb], containers: [{ ...main, volumeMounts: [mount] }] },
  { volumes: [projected], containers: [{ ...main, volumeMounts: [mount] }] },
  { containers: [{ ...main, env: [{ name: 'OTHER', valueFrom: { secretKeyRef: { name: 'other', key: 'password', optional: true } } }] }] },
]

/** Several secrets, consumers and owners around the same objects; the same against the stand-in and a real API server. */
export function kubernetesNeighbours(which: 'real' | 'fake', skip: string | false): void {
  suite(`kubernetes, neighbours (${which} API server)`, skip, ({ after, afterEach, before, it }) => {
    let lab: Lab
    let room: Room
    const notifier: Notifier = create()
    before(async () => {
      lab = await Lab.open(which)
    })
    afterEach(() => room.close())
    after(() => lab?.close())

    async function open(kind: 'Deployment' | 'StatefulSet' = 'Deployment'): Promise<void> {
      room = await lab.room(200)
      await room.makeStore(true)
      await room.makeWorkload(kind, kind === 'StatefulSet' ? { updateStrategy: { type: 'OnDelete' } } : {})
      await until('its pods', async () => (await room.pods()).length === 2 && (await generation(kind)) > 0)
    }
    const generation = async (kind: 'Deployment' | 'StatefulSet' = 'Deployment'): Promise<number> =>
      (await lab.api.must('GET', room.workloadPath(kind))).metadata?.generation ?? 0
    const other = (change: Change): Change => ({ ...change, id: `${change.id}-of-api`, ref: api })
    /** Both looked at in turn until both have arrived, and a while longer. */
    async function both(one: readonly [Change, Consumer], two: readonly [Change, Consumer]): Promise<void> {
      const arrived = async ([change, consumer]: readonly [Change, Consumer]): Promise<boolean> =>
        (await notifier.advance(change, consumer, room.context())).phase === 'drained'
      for (let looks = 0, quiet = 0; quiet < 10; looks++) {
        const all = [await arrived(one), await arrived(two)]
        quiet = all.every(Boolean) ? quiet + 1 : 0
        assert.ok(looks < 1500, 'never both drained')
        await delay(20)
      }
    }

    it('two secrets in one workload and one ExternalSecret: each restarts it once, and both arrive', async () => {
      await open()
      const first = await generation()
      const change = room.publish()
      const consumer = room.consumer({ remoteKey: 'db' })
      await both([change, consumer], [other(change), consumer])
      assert.equal(await generation(), first + 2)
      assert.deepEqual(Object.values(await room.marks()).sort(), [change.id, other(change).id].sort())
    })

    it('two secrets behind one ClusterExternalSecret: neither takes the request of the other away', async () => {
      await open()
      await room.makeParent(`both-${which}`)
      const first = await generation()
      const change = room.publish()
      const consumer = room.consumer({ externalSecret: undefined, clusterExternalSecret: `both-${which}`, remoteKey: 'db' })
      await both([change, consumer], [other(change), consumer])
      assert.equal(await generation(), first + 2)
    })

    it('one secret behind two ExternalSecrets of one workload: the restart for the first proves nothing of the second', async () => {
      await open()
      await room.makeExternalSecret({ target: { name: 'rendered' } }, 'second')
      await until('both Secrets', async () => (await lab.api.get(`/api/v1/namespaces/${room.namespace}/secrets/rendered`)) !== undefined)
      const change = room.publish()
      const second = room.consumer({ externalSecret: 'second' })
      await follow(notifier, room, change, room.consumer(), 'drained')
      const at = await generation()
      await follow(notifier, room, change, second, 'verified')
      await follow(notifier, room, change, second, 'drained')
      assert.equal(await generation(), at + 1, 'its own restart')
    })

    /** Several ExternalSecrets of one secret, whose Secrets one workload reads; each consumer knows of the others. */
    async function several(names: readonly string[]): Promise<readonly Consumer[]> {
      for (const name of names.slice(1)) await room.makeExternalSecret({ target: { name } }, name)
      const secret = (name: string) => lab.api.get(`/api/v1/namespaces/${room.namespace}/secrets/${name}`)
      await until('all Secrets', async () => (await Promise.all(names.map(secret))).every((one) => one !== undefined))
      return names.map((externalSecret) => ({ ...room.consumer({ externalSecret }), key: `web-${externalSecret}` }))
    }
    /** As announce passes do it, until all have arrived. */
    async function passes(change: Change, consumers: readonly Consumer[], meanwhile = async (_: number): Promise<void> => {}) {
      const said = new Set<string>()
      for (let pass = 0, arrived = 0; arrived < consumers.length; pass++) {
        await meanwhile(pass)
        arrived = 0
        for (const consumer of consumers) {
          const others = consumers.filter(({ key }) => key !== consumer.key)
          const { phase, evidence } = await notifier.advance(change, consumer, room.context(others))
          said.add(`${phase}: ${evidence}`)
          if (phase === 'drained') arrived++
        }
        assert.ok(pass < 1500, [...said].join('\n'))
        await delay(20)
      }
      return said
    }

    it('several ExternalSecrets of one secret behind one workload: one rollout a publication', async () => {
      await open()
      const consumers = await several(['db', 'rendered', 'third'])
      for (let turn = 0; turn < 2; turn++) {
        const first = await generation()
        const change = room.publish()
        await passes(change, consumers)
        assert.equal(await generation(), first + 1)
      }
    })

    it('one of them is synced later: the restart waits for it, and says so', async () => {
      await open()
      const consumers = await several(['db', 'rendered'])
      const first = await generation()
      const change = room.publish()
      // Asked only later: its mark is what the others wait for.
      const [one, two] = consumers
      assert.ok(one !== undefined && two !== undefined)
      const waits = 'Deployment/web reads rendered, too: it is restarted once for all when they are synced'
      await until('the wait', async () => (await notifier.advance(change, one, room.context([two]))).evidence === waits)
      assert.equal(await generation(), first)
      await passes(change, consumers)
      assert.equal(await generation(), first + 1)
    })

    it('one of them fails: nobody waits for it, and it has a restart of its own once it is synced', async () => {
      await open()
      const consumers = await several(['db', 'rendered'])
      const path = `${room.externalSecrets()}/rendered`
      await lab.api.patch(path, { spec: { target: { name: 'db' } } }) // which is not its own
      const change = room.publish()
      const [one, two] = consumers
      assert.ok(one !== undefined && two !== undefined)
      await until('its request', async () => /owned by another/.test((await notifier.advance(change, two, room.context([one]))).evidence))
      const first = await generation()
      await until('the first', async () => (await notifier.advance(change, one, room.context([two]))).phase === 'drained')
      assert.equal(await generation(), first + 1)
      await lab.api.patch(path, { spec: { target: { name: 'rendered' } } })
      await passes(change, consumers)
      assert.equal(await generation(), first + 2)
    })

    it('one of them never arrives: after five minutes nobody waits any more', async () => {
      await open()
      const consumers = await several(['db', 'rendered'])
      const [one, two] = consumers
      assert.ok(one !== undefined && two !== undefined)
      const change = room.publish()
      await until('the wait', async () => /reads rendered, too/.test((await notifier.advance(change, one, room.context([two]))).evidence))
      const first = await generation()
      if (lab.fake === undefined) return // only the clock of the stand-in can be set
      lab.fake.aheadMs = 301_000
      await until('the restart', async () => (await notifier.advance(change, one, room.context([two]))).phase === 'drained')
      lab.fake.aheadMs = 0
      assert.equal(await generation(), first + 1)
    })

    it('together ends the pods of its own workload alone, however many the selector finds', async () => {
      await open('StatefulSet')
      const labels = { app: 'web', tier: 'front' }
      const spec = { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: container } }
      await room.makeWorkload('Deployment', spec, 'neighbour')
      const foreign = async () => (await room.pods()).filter(({ metadata }) => metadata?.labels?.tier === 'front')
      await until('the pod of the neighbour', async () => (await foreign()).length === 1)
      const [neighbour] = await foreign()
      const consumer = room.consumer({ workloads: ['StatefulSet/web'], restart: 'together' })
      await never(notifier, room, room.publish(), consumer, 'drained', /StatefulSet\/web/)
      await until('the new pods', async () => (await room.pods()).length === 3)
      const [still, ...rest] = await foreign()
      assert.deepEqual([still?.metadata?.uid, rest.length], [neighbour?.metadata?.uid, 0])
    })

    it('a workload that something else makes is not restarted, and named; preflight refuses it', async () => {
      await open()
      const maker = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'maker' } }
      const made = await lab.api.must('POST', `/api/v1/namespaces/${room.namespace}/configmaps`, maker)
      const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'maker', uid: made.metadata?.uid, controller: true }
      await lab.api.patch(room.workloadPath('Deployment'), { metadata: { ownerReferences: [owner] } })
      const checked = await notifier.preflight(room.consumer(), room.context())
      assert.ok(checked.verdict === 'refuse' && /ConfigMap\/maker makes /.test(checked.why), JSON.stringify(checked))
      const at = await generation()
      await never(notifier, room, room.publish(), room.consumer(), 'restarted', /ConfigMap\/maker makes /)
      assert.equal(await generation(), at)
    })

    for (const [name, spec, says] of fixedUses) {
      it(`restart none, and the pods take the Secret ${name}: refused by name, and never drained`, async () => {
        await open()
        await room.makeWorkload('Deployment', templateOf('frozen', spec), 'frozen')
        const consumer = room.consumer({ workloads: ['Deployment/frozen'], restart: 'none', soakSeconds: 0 })
        const checked = await notifier.preflight(consumer, room.context())
        assert.ok(checked.verdict === 'refuse' && says.test(checked.why), JSON.stringify(checked))
        assert.match(checked.why, /^Deployment\/frozen keeps the old value/)
        assert.match(checked.next, /"restart": "rolling"/)
        await never(notifier, room, room.publish(), consumer, 'drained', says)
        const restarted = room.consumer({ workloads: ['Deployment/frozen'] })
        assert.deepEqual(await notifier.preflight(restarted, room.context()), { verdict: 'ok' }, 'a restart reaches them')
      })
    }

    it('restart none, and a whole volume is mounted, or another Secret is taken by env: ok, and drained', async () => {
      await open()
      for (const [index, spec] of followingUses.entries()) {
        const name = `follows-${index}`
        await room.makeWorkload('Deployment', templateOf(name, spec), name)
        const consumer = room.consumer({ workloads: [`Deployment/${name}`], restart: 'none', soakSeconds: 0 })
        assert.deepEqual(await notifier.preflight(consumer, room.context()), { verdict: 'ok' })
        await follow(notifier, room, room.publish(), consumer, 'drained')
      }
    })

    it('a target that became immutable, or that the operator leaves alone, is never verified, marker or not', async () => {
      await open()
      for (const [spec, says] of [
        [{ target: { name: 'db', immutable: true } }, /immutable/],
        [{ target: { name: 'db', creationPolicy: 'None' } }, /None/],
      ] as const) {
        await lab.api.patch(`${room.externalSecrets()}/db`, { spec: { target: { ...spec.target } } })
        const consumer = room.consumer({ marker: { key: 'username', field: 'username' }, workloads: [], restart: 'none', soakSeconds: 0 })
        await never(notifier, room, room.publish(), consumer, 'synced', says)
        await lab.api.patch(`${room.externalSecrets()}/db`, { spec: { target: { immutable: null, creationPolicy: null } } })
      }
    })

    it('an account that is not there is said to be one, by its field', async () => {
      await open()
      // Its rights are there, so that the server looks for it.
      await room.makeAccount('narrow')
      await lab.api.must('DELETE', `/api/v1/namespaces/${room.namespace}/serviceaccounts/narrow`)
      const consumer = room.consumer({}, { token: minterToken, serviceAccount: `${room.namespace}/narrow` })
      await assert.rejects(notifier.advance(room.publish(), consumer, room.context()), {
        code: 'bad_config',
        field: 'clusters.test.serviceAccount',
        message: /no ServiceAccount shop-\d+\/narrow/,
      })
    })

    it('a server behind a path is asked behind it, and never without', async () => {
      await open()
      const consumer = room.consumer({}, { server: `${lab.api.server}/k8s/clusters/c-1/`, token: rotatorToken })
      const cause = await notifier.advance(room.publish(), consumer, room.context()).then(
        () => assert.fail('another server answered'),
        (thrown: Error & { code?: string }) => thrown,
      )
      assert.ok(['bad_config', 'denied'].includes(cause.code ?? ''), cause.message)
      assert.deepEqual(await room.marks(), {})
    })

    it('a look ends at its deadline, however long the cluster may take', async () => {
      await open()
      const context = { ...room.context(), deadline: room.env.time - 1 }
      await assert.rejects(notifier.advance(room.publish(), room.consumer(), context), {
        code: 'delivery_failed',
        message: /the time of this look was over before/,
      })
    })
  })
}
const container = { containers: [{ name: 'main', image: 'app:1' }] }
