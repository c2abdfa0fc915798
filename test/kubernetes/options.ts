import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Notifier } from '../../shared/core/ports/notifier.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import type { Json } from '../harness/kube/api.js'
import { Lab, minterToken, type Room, rotatorToken, rules } from '../harness/kube/lab.js'
import { until } from '../harness/kube/server.js'
import { suite } from '../harness/suite.js'
import { follow, never } from './looks.js'

/** What consumers can ask for, the same against the stand-in and a real API server. */
export function kubernetesOptions(which: 'real' | 'fake', skip: string | false, rollouts = skip): void {
  suite(`kubernetes, options (${which} API server)`, skip, ({ after, afterEach, before, it }) => {
    let lab: Lab
    let room: Room
    const notifier: Notifier = create()
    before(async () => {
      lab = await Lab.open(which)
    })
    afterEach(() => room.close())
    after(() => lab?.close())
    const open = async (endMs?: number): Promise<void> => {
      room = await lab.room(endMs)
    }
    const running = async (): Promise<readonly Json[]> =>
      (await room.pods()).filter(({ metadata, status }) => {
        const { conditions = [] } = (status ?? {}) as { conditions?: { type: string; status: string }[] }
        return metadata?.deletionTimestamp === undefined && conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True')
      })
    const ready = (count: number): Promise<void> => until(`${count} pods`, async () => (await running()).length === count)

    it('ClusterExternalSecret: the parent is asked, its child synced, and the workload restarted once', { skip: rollouts }, async () => {
      await open()
      await room.makeParent(`all-${which}`)
      await room.makeWorkload('Deployment')
      await ready(2)
      const consumer = room.consumer({ externalSecret: undefined, clusterExternalSecret: `all-${which}` })
      const change = room.publish()
      const seen = await follow(notifier, room, change, consumer, 'drained')
      assert.match(seen[0]?.evidence ?? '', /all-\w+ was asked to sync/)
      const { metadata } = await lab.api.must('GET', `${room.externalSecrets()}/all-${which}-child`)
      assert.match(metadata?.annotations?.['external-secrets.io/force-sync'] ?? '', new RegExp(`^[0-9a-f]{12}=${change.id}~[0-9a-z]+$`))
      const named = await notifier.preflight(room.consumer({ externalSecret: `all-${which}-child` }), room.context())
      assert.ok(named.verdict === 'refuse' && /ClusterExternalSecret \S+ makes the ExternalSecret/.test(named.why), JSON.stringify(named))
    })

    it('an operator whose hash has another form: confirmed by what was noted when the mark was written', async () => {
      await open()
      await until('the first sync', async () => (await lab.api.get(`/api/v1/namespaces/${room.namespace}/secrets/db`)) !== undefined)
      const consumer = room.consumer({ workloads: [], restart: 'none', soakSeconds: 0 })
      room.operator.otherHash = true
      room.operator.refresh()
      await until('a note of the other form', async () => {
        const { status } = await lab.api.must('GET', `${room.externalSecrets()}/db`)
        return (status as { syncedResourceVersion?: string } | undefined)?.syncedResourceVersion?.length === '1-'.length + 40
      })
      room.env.time = Date.now() + 60_000
      room.operator.fault = 'skip'
      const change = room.publish()
      await never(notifier, room, change, consumer, 'verified', /not synced/)
      room.operator.fault = undefined
      await follow(notifier, room, change, consumer, 'drained')
    })

    it('a rendered Secret: never verified without a marker, and only by a marker that this publication changed', async () => {
      await open()
      const template = { data: { url: 'postgres://{{ .username }}:{{ .password }}@db', id: '{{ .password }}', name: '{{ .username }}' } }
      await room.makeExternalSecret({ target: { name: 'rendered', template } }, 'rendered')
      const change = room.publish()
      room.env.time = Date.now() + 60_000
      const base = { externalSecret: 'rendered', workloads: [], restart: 'none', soakSeconds: 0 }
      const says = (settings: object) => never(notifier, room, change, room.consumer({ ...base, ...settings }), 'drained')
      assert.match(await says({}), /not to be verified: its target has a template/)
      assert.match(await says({ marker: { key: 'name', field: 'username' } }), /username is the same in the previous version/)
      assert.match(await says({ marker: { key: 'id', field: 'absent' } }), /no field absent/)
      assert.match(await says({ marker: { key: 'url', field: 'password' } }), /another marker/)
      const marked = room.consumer({ ...base, marker: { key: 'id', field: 'password' } })
      await follow(notifier, room, change, marked, 'drained')
      room.operator.fault = 'stale'
      await never(notifier, room, room.publish(), marked, 'drained', /another marker/)
    })

    for (const [kind, spec] of [
      ['Deployment', { strategy: { type: 'Recreate' } }],
      ['DaemonSet', { updateStrategy: { type: 'OnDelete' } }],
      ['StatefulSet', { updateStrategy: { type: 'OnDelete' } }],
    ] as const) {
      it(`together (${kind}): all pods of before end at once, once, and only in the window`, { skip: rollouts }, async () => {
        await open(400)
        await room.makeWorkload(kind, kind === 'DaemonSet' ? spec : { ...spec, replicas: 3 })
        await ready(kind === 'DaemonSet' ? 1 : 3)
        const old = new Set((await room.pods()).map(({ metadata }) => metadata?.uid))
        const consumer = room.consumer({ workloads: [`${kind}/web`], restart: 'together', window: 'sun 02:00-04:00' })
        const change = room.publish()
        room.env.time = Date.UTC(2026, 0, 17, 12) // a Saturday
        await never(notifier, room, change, consumer, 'restarted', /wait for their window \(sun 02:00-04:00\)/)
        assert.ok((await room.pods()).every(({ metadata }) => old.has(metadata?.uid)))
        room.env.time = Date.UTC(2026, 0, 18, 3)
        if (kind === 'StatefulSet') {
          await notifier.advance(change, consumer, room.context()) // marked in the window, which is over right after
          room.env.time = Date.UTC(2026, 0, 18, 5)
          await never(notifier, room, change, consumer, 'drained', /the end of its pods waits for its window/)
          assert.ok((await room.pods()).every(({ metadata }) => old.has(metadata?.uid)))
          room.env.time = Date.UTC(2026, 0, 25, 3)
        }
        const seen = await follow(notifier, room, change, consumer, 'drained')
        const ended = seen.filter(({ evidence }) => /ended at once/.test(evidence))
        // Recreate does it by itself.
        assert.equal(ended.length, kind === 'Deployment' ? 0 : 1, JSON.stringify(seen))
        assert.ok((await room.pods()).every(({ metadata }) => !old.has(metadata?.uid)))
      })
    }

    it('together of a Deployment that rolls: named, and nothing is ended', { skip: rollouts }, async () => {
      await open()
      await room.makeStore(true)
      await room.makeWorkload('Deployment')
      await ready(2)
      const consumer = room.consumer({ restart: 'together' })
      const checked = await notifier.preflight(consumer, room.context())
      assert.ok(checked.verdict === 'refuse' && /strategy Recreate/.test(checked.why), JSON.stringify(checked))
      await never(notifier, room, room.publish(), consumer, 'drained', /strategy Recreate/)
      if (lab.fake) assert.ok(!lab.fake.calls.some((call) => call.startsWith('DELETE') && call.includes(room.namespace)))
    })

    for (const kind of ['StatefulSet', 'DaemonSet'] as const)
      it(`together of a ${kind} that rolls by itself: refused, named, and not even marked`, { skip: rollouts }, async () => {
        await open()
        await room.makeStore(true)
        await room.makeWorkload(kind)
        await ready(kind === 'DaemonSet' ? 1 : 2)
        const old = new Set((await room.pods()).map(({ metadata }) => metadata?.uid))
        const consumer = room.consumer({ workloads: [`${kind}/web`], restart: 'together' })
        const checked = await notifier.preflight(consumer, room.context())
        assert.ok(checked.verdict === 'refuse' && /needs the update strategy OnDelete/.test(checked.why), JSON.stringify(checked))
        await never(notifier, room, room.publish(), consumer, 'restarted', /needs the update strategy OnDelete/)
        assert.ok((await room.pods()).every(({ metadata }) => old.has(metadata?.uid)))
      })

    it('a store of another controller class, which is skipped without a word: preflight refuses it', async () => {
      await open()
      const path = `/apis/external-secrets.io/v1/namespaces/${room.namespace}/secretstores`
      const kind = { apiVersion: 'external-secrets.io/v1', kind: 'SecretStore' }
      await lab.api.must('POST', path, { ...kind, metadata: { name: 'vault' }, spec: { controller: 'other', provider: { fake: {} } } })
      const consumer = room.consumer({ workloads: [], restart: 'none' })
      const checked = await notifier.preflight(consumer, room.context())
      assert.ok(checked.verdict === 'refuse' && /controller class other/.test(checked.why), JSON.stringify(checked))
      await lab.api.patch(`${path}/vault/status`, { status: { conditions: [{ type: 'Ready', status: 'True' }] } })
      assert.deepEqual(await notifier.preflight(consumer, room.context()), { verdict: 'ok' })
    })

    it('preflight refuses a Secret that nobody can write any more, and looks at the stores of single entries, too', async () => {
      await open()
      await room.makeStore(true)
      const secret = `/api/v1/namespaces/${room.namespace}/secrets/db`
      await until('the first sync', async () => (await lab.api.get(secret)) !== undefined)
      const consumer = room.consumer({ workloads: [], restart: 'none' })
      const says = async (): Promise<string> => {
        const checked = await notifier.preflight(consumer, room.context())
        return checked.verdict === 'refuse' ? checked.why : checked.verdict
      }
      assert.equal(await says(), 'ok')
      const data = [{ secretKey: 'other', remoteRef: { key: 'db', property: 'username' } }]
      const from = (name: string) => data.map((one) => ({ ...one, sourceRef: { storeRef: { name, kind: 'SecretStore' } } }))
      await lab.api.patch(`${room.externalSecrets()}/db`, { spec: { data: from('vault') } })
      assert.equal(await says(), 'ok')
      await lab.api.patch(`${room.externalSecrets()}/db`, { spec: { data: from('elsewhere') } })
      assert.match(await says(), /no SecretStore elsewhere/)
      await lab.api.patch(`${room.externalSecrets()}/db`, { spec: { data: [] } })
      room.operator.fault = 'skip'
      await lab.api.patch(secret, { immutable: true })
      assert.match(await says(), /the Secret db is immutable/)
    })

    it('preflight refuses what this account may not do, by the verb and the name; together asks for one right more where pods are ended', async () => {
      await open()
      await room.makeStore(true)
      await room.makeWorkload('Deployment', { strategy: { type: 'Recreate' } })
      await room.makeWorkload('StatefulSet', { updateStrategy: { type: 'OnDelete' } })
      const says = async (workload: string, restart = 'rolling'): Promise<string> => {
        const checked = await notifier.preflight(room.consumer({ workloads: [workload], restart }), room.context())
        return checked.verdict === 'refuse' ? checked.why : checked.verdict
      }
      const role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${room.namespace}/roles/keyturn`
      const without = async (resource: string, verb: string): Promise<void> => {
        const narrower = rules.map((rule) =>
          rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((one) => one !== verb) } : rule,
        )
        await lab.api.patch(role, { rules: narrower })
      }
      assert.equal(await says('Deployment/web'), 'ok')
      for (const [resource, verb, expected] of [
        ['externalsecrets', 'patch', /may not patch externalsecrets db in shop/],
        ['deployments', 'patch', /may not patch deployments web in shop/],
        ['pods', 'list', /may not list pods in shop/],
      ] as const) {
        await without(resource, verb)
        await until(`${verb} ${resource} to be taken away`, async () => expected.test(await says('Deployment/web')))
      }
      await without('pods', 'deletecollection')
      await until('the right to end pods to be taken away', async () =>
        /may not deletecollection pods/.test(await says('StatefulSet/web', 'together')),
      )
      assert.equal(await says('Deployment/web', 'together'), 'ok', 'Recreate ends them itself')
    })

    it('a rollout whose pods of before are gone, and whose new ones are not ready, is not over', { skip: rollouts }, async () => {
      await open()
      await room.makeWorkload('Deployment', { strategy: { type: 'Recreate' } })
      await ready(2)
      room.kubelet.broken = true
      const change = room.publish()
      await follow(notifier, room, change, room.consumer(), 'restarted')
      await until('the new pods', async () => {
        const marked = (await room.pods()).filter(({ metadata }) => Object.values(metadata?.annotations ?? {}).includes(change.id))
        return marked.length === 2 && (await room.pods()).length === 2
      })
      await never(notifier, room, change, room.consumer(), 'drained', /^Deployment\/web is being rolled out$/)
      room.kubelet.broken = false
      await follow(notifier, room, change, room.consumer(), 'drained')
    })

    it('a rollout whose new pods never get ready: never drained, named when its deadline has passed, and over once they do', {
      skip: rollouts,
    }, async () => {
      await open()
      await room.makeWorkload('Deployment', { progressDeadlineSeconds: 1 })
      await ready(2)
      room.kubelet.broken = true
      const change = room.publish()
      const consumer = room.consumer()
      await follow(notifier, room, change, consumer, 'restarted')
      await until('the deadline', async () => {
        const state = await notifier.advance(change, consumer, room.context())
        assert.equal(state.phase, 'restarted', state.evidence)
        return /has passed its progress deadline.* old pod/.test(state.evidence)
      })
      assert.equal((await running()).length >= 1, true, 'pods of before go on')
      room.kubelet.broken = false
      await follow(notifier, room, change, consumer, 'drained')
    })

    it('together, but pods below a partition would come again as they were: nothing is ended', { skip: rollouts }, async () => {
      await open()
      const spec = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } }
      await room.makeWorkload('StatefulSet', spec)
      await ready(2)
      const old = new Set((await room.pods()).map(({ metadata }) => metadata?.uid))
      const consumer = room.consumer({ workloads: ['StatefulSet/web'], restart: 'together' })
      await never(notifier, room, room.publish(), consumer, 'drained', /needs the update strategy OnDelete/)
      assert.ok((await running()).every(({ metadata }) => old.has(metadata?.uid)) && (await running()).length === 2)
    })

    it('Jobs and bare pods: not drained, by name, until they end; those that started later do not count', { skip: rollouts }, async () => {
      await open()
      const { api } = lab
      const spec = { containers: [{ name: 'main', image: 'app:1' }], restartPolicy: 'Never' }
      await until('the first sync', async () => (await api.get(`/api/v1/namespaces/${room.namespace}/secrets/db`)) !== undefined)
      const jobs = `/apis/batch/v1/namespaces/${room.namespace}/jobs`
      const podKind = { apiVersion: 'v1', kind: 'Pod' }
      await api.must('POST', jobs, { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'import' }, spec: { template: { spec } } })
      await api.must('POST', `/api/v1/namespaces/${room.namespace}/pods`, { ...podKind, metadata: { name: 'shell' }, spec })
      const change = room.publish()
      const consumer = room.consumer({ workloads: ['Job/import', 'Pod/shell'] })
      await follow(notifier, room, change, consumer, 'restarted')
      assert.match(
        await never(notifier, room, change, consumer, 'drained'),
        /Job\/import started before.*Pod\/shell started before.*delete it/,
      )
      const at = new Date().toISOString().replace(/\.\d+/, '')
      const done = {
        startTime: at,
        completionTime: at,
        succeeded: 1,
        conditions: [
          { type: 'SuccessCriteriaMet', status: 'True' },
          { type: 'Complete', status: 'True' },
        ],
      }
      await api.patch(`${jobs}/import/status`, { status: done })
      await never(notifier, room, change, consumer, 'drained', /^Pod\/shell started before/)
      const path = `/api/v1/namespaces/${room.namespace}/pods/shell`
      await api.patch(`${path}/status`, { status: { phase: 'Succeeded' } })
      await follow(notifier, room, change, consumer, 'drained')
      const absent = room.consumer({ workloads: ['Job/absent'] })
      await never(notifier, room, change, absent, 'drained', /Job\/absent is not there/)
      await room.makeStore(true)
      const checked = await notifier.preflight(absent, room.context())
      assert.ok(checked.verdict === 'refuse' && /no Job\/absent/.test(checked.why), JSON.stringify(checked))
      // Pods that read the file by themselves do not make a Job read it.
      await api.must('POST', jobs, { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'other' }, spec: { template: { spec } } })
      const later = room.publish()
      const soaking = room.consumer({ workloads: ['Job/other'], restart: 'none', soakSeconds: 0 })
      await follow(notifier, room, later, soaking, 'verified')
      await never(notifier, room, later, soaking, 'drained', /Job\/other started before/)
    })

    it('a bare pod that a selector finds is named', { skip: rollouts }, async () => {
      await open()
      await room.makeWorkload('Deployment')
      await ready(2)
      const spec = { containers: [{ name: 'main', image: 'app:1' }] }
      const bare = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'by-hand', labels: { app: 'web' } }, spec }
      await lab.api.must('POST', `/api/v1/namespaces/${room.namespace}/pods`, bare)
      const change = room.publish()
      await follow(notifier, room, change, room.consumer(), 'restarted')
      const says = await never(notifier, room, change, room.consumer(), 'drained')
      assert.match(says, /by-hand, which no workload owns/)
    })

    it('tokens of an account are asked for, used, and renewed; the asking credential does nothing else', { skip: rollouts }, async () => {
      await open()
      await room.makeAccount('narrow')
      await room.makeWorkload('Deployment')
      await ready(2)
      const consumer = room.consumer({}, { token: minterToken, serviceAccount: `${room.namespace}/narrow` })
      const change = room.publish()
      await follow(notifier, room, change, consumer, 'drained')
      if (lab.fake === undefined) return
      const asked = () => lab.fake?.calls.filter((call) => call.endsWith('/serviceaccounts/narrow/token')).length ?? 0
      assert.equal(asked(), 1, 'one token for all looks')
      room.env.time += 50 * 60_000
      assert.equal((await notifier.advance(change, consumer, room.context())).phase, 'drained')
      assert.equal(asked(), 2, 'renewed before it ends')
    })

    it('kubeconfig: tokens and certificates of the context that is named; what would run a program or trust anybody is refused', async () => {
      await open()
      const folder = await mkdtemp(join(tmpdir(), 'keyturn-kubeconfig-'))
      const file = join(folder, 'config')
      const cluster = { server: lab.api.server, 'certificate-authority-data': Buffer.from(lab.ca).toString('base64') }
      const whole = (user: object = { token: rotatorToken }, place: object = cluster, contexts = ['here']) => ({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'here',
        clusters: [{ name: 'c', cluster: place }],
        users: [{ name: 'u', user }],
        contexts: contexts.map((name) => ({ name, context: { cluster: 'c', user: 'u' } })),
      })
      const consumer = room.consumer(
        { workloads: [], restart: 'none', soakSeconds: 0 },
        { server: undefined, ca: undefined, token: undefined, kubeconfig: file },
      )
      await writeFile(join(folder, 'ca.crt'), lab.ca)
      await writeFile(join(folder, 'token'), `${rotatorToken}\n`)
      const change = room.publish()
      room.env.time = Date.now() + 60_000
      for (const config of [whole(), whole({ tokenFile: 'token' }, { server: lab.api.server, 'certificate-authority': 'ca.crt' })]) {
        await writeFile(file, JSON.stringify(config)) // JSON is YAML
        await follow(notifier, room, change, consumer, 'drained')
        room.env.time += 3_600_000
      }
      for (const [config, says] of [
        [whole({ exec: { command: 'aws' } }), /exec plugin/],
        [whole({ 'auth-provider': { name: 'gcp' } }), /auth-provider/],
        [whole({ username: 'a', password: 'b' }), /password/],
        [whole({}), /neither a token nor/],
        [whole({ token: 'x', as: 'admin' }), /impersonates/],
        [whole(undefined, { ...cluster, 'insecure-skip-tls-verify': true }), /insecure-skip-tls-verify/],
        [whole(undefined, { ...cluster, 'proxy-url': 'http://p' }), /proxy/],
        [whole(undefined, { server: 'http://plain' }), /misconfigured at clusters\.0\.cluster\.server/],
        [whole(undefined, undefined, ['other']), /no context here/],
        [whole(undefined, undefined, ['here', 'here']), /2 entries for the context here/],
        ['token: [unclosed secret-0123456789', /is not YAML/],
      ] as const) {
        await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config))
        room.env.time += 3_600_000
        const cause = await notifier.advance(change, consumer, room.context()).then(
          () => assert.fail('it went well'),
          (thrown: Error & { code?: string; field?: string; next?: string }) => thrown,
        )
        assert.equal(cause.code, 'bad_config', cause.message)
        assert.match(cause.message, says)
        assert.ok(cause.field?.startsWith('clusters.test.') && (cause.next ?? '').length > 5)
        assert.ok(!`${cause.message}${cause.stack}${cause.next}`.includes('secret-0123456789'))
      }
      await rm(folder, { recursive: true })
    })
  })

  suite(`kubernetes with an operator before 0.17 (${which} API server)`, skip, ({ after, before, it }) => {
    let lab: Lab
    before(async () => {
      lab = await Lab.open(which, 'v1beta1')
    })
    after(() => lab?.close())

    it('v1beta1 alone is served: asked, synced, compared, restarted, drained', { skip: rollouts }, async () => {
      const room = await lab.room()
      await room.makeWorkload('Deployment')
      const change = room.publish()
      await follow(create(), room, change, room.consumer(), 'drained')
      const { apiVersion } = await lab.api.must('GET', `${room.externalSecrets()}/db`)
      assert.deepEqual([apiVersion, Object.values(await room.marks())], ['external-secrets.io/v1beta1', [change.id]])
      await room.close()
    })
  })
}
