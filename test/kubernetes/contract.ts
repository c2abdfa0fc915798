import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf } from '../../shared/core/errors.js'
import type { Change, Consumer, ConsumerState, Notifier } from '../../shared/core/ports/notifier.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import type { Json, Meta } from '../harness/kube/api.js'
import { type Kind, Lab, type Room, rotatorToken, strangerToken } from '../harness/kube/lab.js'
import type { OperatorFault } from '../harness/kube/operator.js'
import { until } from '../harness/kube/server.js'
import { Authority } from '../harness/pg-certificates.js'
import { suite } from '../harness/suite.js'

const looksMax = 1500
const expiredToken = 'expired-0123456789'

/** The same against the stand-in and against a real API server with its controllers. */
export function kubernetesContract(which: 'real' | 'fake', skip: string | false, rollouts = skip): void {
  suite(`kubernetes (${which} API server)`, skip, ({ after, afterEach, before, it }) => {
    let lab: Lab
    let room: Room
    const notifier: Notifier = create()
    before(async () => {
      lab = await Lab.open(which)
    })
    afterEach(() => room.close())
    after(() => lab?.close())

    const open = async (endMs?: number): Promise<Room> => {
      room = await lab.room(endMs)
      return room
    }
    const look = (change: Change, consumer: Consumer) => notifier.advance(change, consumer, room.context())
    /** As sweeps do it; ends at the phase, or after a second in which nothing moves. */
    async function follow(change: Change, consumer: Consumer, phase: ConsumerState['phase']): Promise<readonly ConsumerState[]> {
      const seen: ConsumerState[] = []
      for (let looks = 0; looks < looksMax; looks++) {
        const state = await look(change, consumer)
        if (seen.at(-1)?.phase !== state.phase) seen.push(state)
        if (state.phase === phase) return seen
        await delay(20)
      }
      throw new Error(`never ${phase}: ${JSON.stringify(seen)}`)
    }
    /** Reaches this phase, and never more while the operator goes round a few times. */
    async function staysAt(change: Change, consumer: Consumer, phase: ConsumerState['phase']): Promise<ConsumerState> {
      const before: readonly string[] = ['requested', 'synced', 'verified', phase]
      let state = await look(change, consumer)
      let end = Number.POSITIVE_INFINITY
      for (let looks = 0; looks < looksMax && room.operator.rounds < end; looks++) {
        if (state.phase === phase && end === Number.POSITIVE_INFINITY) end = room.operator.rounds + 10
        await delay(20)
        state = await look(change, consumer)
        assert.ok(before.includes(state.phase), `${state.phase}: ${state.evidence}`)
      }
      assert.equal(state.phase, phase, state.evidence)
      return state
    }
    const ready = (kind: Kind): Promise<void> =>
      until('all pods', async () => {
        const { items = [] } = await lab.api.must('GET', `/api/v1/namespaces/${room.namespace}/pods`)
        const wanted = kind === 'DaemonSet' ? 1 : 2
        const isReady = ({ status }: Json) =>
          (status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions?.some(
            ({ type, status: is }) => type === 'Ready' && is === 'True',
          )
        return items.filter(isReady).length === wanted
      })
    const metaOf = async (path: string): Promise<Meta> => (await lab.api.must('GET', path)).metadata as Meta

    for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet'] as const) {
      it(`${kind}: poked, synced, compared, restarted once, drained when the last old pod is gone; a repeat changes nothing`, {
        skip: rollouts,
      }, async () => {
        await open()
        await room.makeWorkload(kind)
        await ready(kind)
        const consumer = room.consumer({ workloads: [`${kind}/web`] })
        const before_ = await metaOf(room.workloadPath(kind))
        const old = (await room.pods()).map(({ metadata }) => metadata?.uid)
        const change = room.publish()
        const seen = await follow(change, consumer, 'drained')
        assert.deepEqual(
          seen.map(({ phase }) => phase).filter((phase) => phase !== 'synced'),
          ['requested', 'verified', 'restarted', 'drained'],
        )
        assert.ok(seen.slice(0, -1).every(({ again }) => (again ?? 0) > room.env.time))
        assert.ok(
          (await room.pods()).every(({ metadata }) => !old.includes(metadata?.uid)),
          'no old pod is left',
        )
        const after_ = await metaOf(room.workloadPath(kind))
        assert.equal(after_.generation, (before_.generation ?? 0) + 1, 'restarted once')
        const marked = await room.marks()
        assert.deepEqual(Object.values(marked), [change.id])
        for (let turn = 0; turn < 3; turn++) assert.equal((await look(change, consumer)).phase, 'drained')
        assert.equal((await metaOf(room.workloadPath(kind))).generation, after_.generation)
        assert.deepEqual(await room.marks(), marked)
        await follow(room.publish(), consumer, 'drained')
        assert.equal((await metaOf(room.workloadPath(kind))).generation, (before_.generation ?? 0) + 2)
      })
    }

    it('pods that are ending hold it back, however finished the rollout is', { skip: rollouts }, async () => {
      await open(1500)
      await room.makeWorkload('Deployment')
      await ready('Deployment')
      const change = room.publish()
      await follow(change, room.consumer(), 'restarted')
      let heldBack = 0
      for (;;) {
        const { phase, evidence } = await look(change, room.consumer())
        const ending = (await room.pods()).filter(({ metadata }) => metadata?.deletionTimestamp !== undefined)
        if (phase === 'drained') break
        if (ending.length > 0 && !/being rolled out/.test(evidence)) {
          heldBack++
          assert.match(evidence, /old pods?/)
        }
        await delay(20)
      }
      assert.ok(heldBack > 3, 'finished for its controller, and still not drained')
    })

    it('marks that were wiped are set again, and lead to the same end', { skip: rollouts }, async () => {
      await open()
      await room.makeWorkload('Deployment')
      await ready('Deployment')
      const [change, consumer] = [room.publish(), room.consumer()]
      await follow(change, consumer, 'drained')
      const { generation } = await metaOf(room.workloadPath('Deployment'))
      await room.wipeMarks()
      await follow(change, consumer, 'drained')
      assert.equal((await metaOf(room.workloadPath('Deployment'))).generation, generation, 'the workloads kept theirs')
    })

    it('single entries: compared field by field, also where one of them was read before the other', async () => {
      await open()
      const data = ['username', 'password'].map((property) => ({ secretKey: property, remoteRef: { key: 'db', property } }))
      await room.makeExternalSecret({ data, dataFrom: [], target: { name: 'rendered' } }, 'single')
      const consumer = room.consumer({ externalSecret: 'single', workloads: [], restart: 'none', soakSeconds: 0 })
      room.operator.fault = 'torn'
      const change = room.publish()
      assert.match((await staysAt(change, consumer, 'synced')).evidence, /holds another value/)
      room.operator.fault = undefined
      room.operator.refresh()
      room.env.time = Date.now() + 60_000
      await follow(change, consumer, 'drained')
      // A user name alone did not change with it: what it stands for is read somewhere else.
      await room.makeExternalSecret({ data: data.slice(0, 1), dataFrom: [], target: { name: 'third' } }, 'half')
      const half = room.consumer({ externalSecret: 'half', workloads: [], restart: 'none', soakSeconds: 0 })
      room.operator.fault = 'skip'
      assert.match((await staysAt(change, half, 'requested')).evidence, /not synced/)
      room.operator.fault = undefined
      assert.match((await staysAt(change, half, 'synced')).evidence, /none of the fields that it takes changed/)
      await follow(change, { ...half, several: true }, 'drained')
    })

    const faults: readonly (readonly [OperatorFault, ConsumerState['phase'], RegExp])[] = [
      ['stale', 'synced', /holds another value/],
      ['empty', 'synced', /holds another value/],
      [
        'fail',
        'requested',
        /^the operator could not sync it \(SecretSyncedError: could not get secret data from provider\); not synced since/,
      ],
      ['skip', 'requested', /not synced/],
      ['strip', 'requested', /asked to/],
      ['gone', 'requested', /^the operator kept the old Secret \(SecretSynced: secret retained due to DeletionPolicy=Retain\)$/],
    ]
    for (const [fault, phase, says] of faults) {
      it(`an operator that is ${fault}: never more than ${phase}, and no pod is restarted`, async () => {
        await open()
        await room.makeWorkload('Deployment')
        await until('the first sync', async () => (await lab.api.get(`/api/v1/namespaces/${room.namespace}/secrets/db`)) !== undefined)
        const { generation } = await metaOf(room.workloadPath('Deployment'))
        room.operator.fault = fault
        const change = room.publish()
        assert.match((await staysAt(change, room.consumer(), phase)).evidence, says)
        assert.equal((await metaOf(room.workloadPath('Deployment'))).generation, generation)
        room.operator.fault = undefined
        room.operator.refresh()
        if (fault !== 'strip') await follow(change, room.consumer(), 'restarted')
      })
    }

    for (const [name, kind, spec, says] of [
      ['paused', 'Deployment', { paused: true }, /paused/],
      ['with OnDelete', 'StatefulSet', { updateStrategy: { type: 'OnDelete' } }, /OnDelete/],
      ['with a partition', 'StatefulSet', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } }, /partition/],
      ['with OnDelete', 'DaemonSet', { updateStrategy: { type: 'OnDelete' } }, /OnDelete/],
    ] as const) {
      it(`a ${kind} ${name} is not drained by itself, and named; preflight refuses it`, { skip: rollouts }, async () => {
        await open()
        await room.makeStore(true)
        await room.makeWorkload(kind, spec)
        const consumer = room.consumer({ workloads: [`${kind}/web`] })
        const checked = await notifier.preflight(consumer, room.context())
        assert.ok(checked.verdict === 'refuse' && says.test(checked.why) && checked.next.length > 5, JSON.stringify(checked))
        const change = room.publish()
        await follow(change, consumer, 'restarted')
        assert.match((await staysAt(change, consumer, 'restarted')).evidence, says)
        if (name !== 'with OnDelete') return
        const pods = `/api/v1/namespaces/${room.namespace}/pods`
        for (const { metadata } of await room.pods()) await lab.api.call('DELETE', `${pods}/${metadata?.name}`)
        await follow(change, consumer, 'drained') // its remedy was followed
      })
    }

    it('restart none: drained when the Secret has held the value for the soak, by the clock of the server', async () => {
      await open()
      const consumer = room.consumer({ workloads: [], restart: 'none', soakSeconds: 3 })
      const change = room.publish()
      room.env.time = Date.now() + 3_600_000 // this machine's clock is an hour ahead
      const { evidence = '' } = (await follow(change, consumer, 'verified')).at(-1) ?? {}
      assert.match(evidence, /drained in [1-4] s/)
      await follow(change, consumer, 'drained')
    })

    for (const [name, spec, says] of [
      ['refreshInterval 0', { refreshInterval: '0s' }, /refreshInterval 0/],
      ['refreshInterval 0 in three units', { refreshInterval: '0h0m0s' }, /refreshInterval 0/],
      ['CreatedOnce', { refreshPolicy: 'CreatedOnce' }, /created once/],
      ['an immutable target', { target: { name: 'db', immutable: true } }, /immutable/],
      ['creationPolicy None', { target: { name: 'db', creationPolicy: 'None' } }, /writes no Secret/],
      ['a generator', { dataFrom: [{ sourceRef: { generatorRef: { kind: 'Password', name: 'x' } } }] }, /mint another/],
      ['a template', { target: { name: 'db', template: { data: { url: '{{ .password }}' } } } }, /could not be verified/],
    ] as const) {
      it(`preflight refuses ${name}, in words`, async () => {
        await open()
        await room.makeStore(true)
        await room.makeExternalSecret(spec, 'odd')
        const checked = await notifier.preflight(room.consumer({ externalSecret: 'odd', workloads: [], restart: 'none' }), room.context())
        assert.ok(checked.verdict === 'refuse' && says.test(checked.why) && checked.next.length > 5, JSON.stringify(checked))
      })
    }

    it('preflight: ok; a store that is not Ready, a right that is missing and a wrong name are refused; what cannot be reached is unknown', async () => {
      await open()
      await room.makeStore(true)
      await room.makeWorkload('Deployment')
      assert.deepEqual(await notifier.preflight(room.consumer(), room.context()), { verdict: 'ok' })
      const says = async (consumer: Consumer): Promise<string> => {
        const checked = await notifier.preflight(consumer, room.context())
        return checked.verdict === 'refuse' ? checked.why : checked.verdict
      }
      assert.match(await says(room.consumer({}, { token: strangerToken })), /may not be read \(403\)/)
      assert.match(await says(room.consumer({ externalSecret: 'absent' })), /no ExternalSecret absent in the namespace/)
      assert.match(await says(room.consumer({ workloads: ['StatefulSet/web'] })), /no StatefulSet web/)
      assert.equal(await says(room.consumer({}, { server: 'https://127.0.0.1:1' })), 'unknown')
      const elsewhere = new Authority()
      assert.match(await says(room.consumer({}, { ca: elsewhere.ca })), /could not be asked \((CERT|SELF_SIGNED|UNABLE)/)
      await lab.api.patch(`/apis/external-secrets.io/v1/namespaces/${room.namespace}/secretstores/vault/status`, {
        status: { conditions: [{ type: 'Ready', status: 'False' }] },
      })
      assert.match(await says(room.consumer()), /SecretStore vault is not Ready/)
    })

    it('what is wrong with the cluster: a code, the field and the next step, nothing half-changed, no token in it', async () => {
      await open()
      await room.makeWorkload('Deployment')
      const change = room.publish()
      const otherCa = new Authority()
      for (const [consumer, code, says] of [
        [room.consumer({}, { token: expiredToken }), 'denied', /401/],
        [room.consumer({}, { token: strangerToken }), 'denied', /403/],
        [room.consumer({}, { ca: otherCa.ca }), 'bad_config', /CERT|SELF_SIGNED|UNABLE/],
        [room.consumer({}, { token: `${rotatorToken}\n` }), 'bad_config', /ERR_INVALID_CHAR/],
        [room.consumer({}, { server: 'https://127.0.0.1:1' }), 'delivery_failed', /ECONNREFUSED/],
        [room.consumer({ namespace: 'absent' }), 'denied', /403/],
        [room.consumer({ externalSecret: 'absent' }), 'bad_config', /no ExternalSecret absent/],
      ] as const) {
        const cause = await look(change, consumer).then(
          () => assert.fail('it went well'),
          (thrown: Error & { next?: string; field?: string }) => thrown,
        )
        assert.equal(codeOf(cause), code, cause.message)
        assert.match(cause.message, says)
        assert.ok((cause.next ?? '').length > 5 && cause.field !== undefined)
        if (/no ExternalSecret/.test(cause.message)) assert.equal(cause.field, 'consumers.web')
        if (/CERT|SELF_SIGNED|UNABLE/.test(cause.message)) assert.equal(cause.field, 'clusters.test.ca')
        for (const token of [rotatorToken, strangerToken, expiredToken])
          assert.ok(!`${cause.message}${cause.stack}${cause.next}`.includes(token))
      }
      assert.deepEqual(await room.marks(), {}, 'nothing was marked')
    })
  })
}
