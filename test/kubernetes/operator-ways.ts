import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Change, Consumer, ConsumerState, Notifier } from '../../shared/core/ports/notifier.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import { Lab, type Room } from '../harness/kube/lab.js'
import { until } from '../harness/kube/server.js'
import { suite } from '../harness/suite.js'
import { follow, never } from './looks.js'

const plain = { workloads: [], restart: 'none', soakSeconds: 0 }
const notSynced = 'not synced since it was asked to'

/** What a real operator does beside syncing; the same against the stand-in and a real API server. */
export function kubernetesOperatorWays(which: 'real' | 'fake', skip: string | false): void {
  suite(`kubernetes, ways of the operator (${which} API server)`, skip, ({ after, afterEach, before, it }) => {
    let lab: Lab
    let room: Room
    const notifier: Notifier = create()
    before(async () => {
      lab = await Lab.open(which)
    })
    afterEach(() => room.close())
    after(() => lab?.close())

    async function open(): Promise<void> {
      room = await lab.room()
      await room.makeStore(true)
      await until('the first sync', async () => (await secret()) !== undefined)
    }
    const secret = (name = 'db') => lab.api.get(`/api/v1/namespaces/${room.namespace}/secrets/${name}`)
    const externalSecret = (name = 'db') => `${room.externalSecrets()}/${name}`
    const look = (change: Change, consumer: Consumer): Promise<ConsumerState> => notifier.advance(change, consumer, room.context())
    const checked = (consumer = room.consumer(plain)) => notifier.preflight(consumer, room.context())
    /** Until a look says this, whatever it says before. */
    async function says(change: Change, consumer: Consumer, evidence: string): Promise<ConsumerState> {
      let state = await look(change, consumer)
      for (let looks = 0; looks < 1500 && state.evidence !== evidence; looks++) {
        await delay(20)
        state = await look(change, consumer)
      }
      assert.equal(state.evidence, evidence)
      return state
    }
    const asked = async (name = 'db'): Promise<string> => {
      const { metadata } = await lab.api.must('GET', externalSecret(name))
      const [text = ''] = Object.entries(metadata?.annotations ?? {}).flatMap(([key, one]) =>
        key.startsWith('keyturn/before-') ? [one] : [],
      )
      return text
    }
    /** Asked again after five minutes, and not before. */
    async function askedAgain(change: Change, consumer: Consumer, name = 'db'): Promise<void> {
      const first = await asked(name)
      room.env.time += 290_000
      await look(change, consumer)
      assert.equal(await asked(name), first)
      room.env.time += 11_000
      const { phase, evidence } = await look(change, consumer)
      assert.equal(phase, 'requested')
      assert.match(evidence, /: asked to sync again$/)
      assert.notEqual(await asked(name), first)
    }

    it('a provider that fails: said in its own words, waited for by the preflight, and left to the operator, which tries again', async () => {
      await open()
      room.operator.fault = 'fail'
      const change = room.publish()
      const consumer = room.consumer(plain)
      const failing = 'the operator could not sync it (SecretSyncedError: could not get secret data from provider)'
      const state = await says(change, consumer, `${failing}; ${notSynced}`)
      assert.deepEqual([state.phase, state.code], ['requested', undefined])
      assert.deepEqual(await checked(), {
        verdict: 'wait',
        why: `The ExternalSecret db was not synced: ${failing}.`,
        next: 'Look at its conditions and events (kubectl describe externalsecret), and fix what they name.',
      })
      const first = await asked()
      room.env.time += 600_000
      await look(change, consumer)
      assert.equal(await asked(), first, 'it comes back by itself')
      room.operator.fault = undefined
      room.env.time = Date.now() + 60_000
      await follow(notifier, room, change, consumer, 'drained')
      assert.deepEqual(await checked(), { verdict: 'ok' })
    })

    it('a target of another ExternalSecret: misconfigured, by its reason; asked again after five minutes, and drained once it is free', async () => {
      await open()
      await room.makeExternalSecret({}, 'second')
      const consumer = room.consumer({ ...plain, externalSecret: 'second' })
      const owned = 'the operator could not sync it (SecretSyncedError: target is owned by another ExternalSecret)'
      const change = room.publish()
      const { phase, code } = await says(change, consumer, `${owned}; ${notSynced}`)
      assert.deepEqual([phase, code], ['requested', 'bad_config'])
      const found = await checked(consumer)
      assert.ok(found.verdict === 'refuse' && /the Secret db belongs to the ExternalSecret db\./.test(found.why), JSON.stringify(found))
      await lab.api.must('DELETE', externalSecret())
      await lab.api.must('DELETE', `/api/v1/namespaces/${room.namespace}/secrets/db`)
      await askedAgain(change, consumer, 'second')
      room.env.time = Date.now() + 60_000
      const seen = await follow(notifier, room, change, consumer, 'drained')
      assert.equal(seen.at(-1)?.code, undefined)
      assert.deepEqual(await checked(consumer), { verdict: 'ok' })
    })

    it('a Secret that somebody made immutable: misconfigured, by its reason, and asked again', async () => {
      await open()
      await lab.api.patch(`/api/v1/namespaces/${room.namespace}/secrets/db`, { immutable: true })
      const change = room.publish()
      const consumer = room.consumer(plain)
      const state = await says(
        change,
        consumer,
        `the operator could not sync it (SecretSyncedError: could not update secret, target is immutable); ${notSynced}`,
      )
      assert.equal(state.code, 'bad_config')
      await lab.api.must('DELETE', `/api/v1/namespaces/${room.namespace}/secrets/db`)
      await askedAgain(change, consumer)
      room.env.time = Date.now() + 60_000
      await follow(notifier, room, change, consumer, 'drained')
    })

    it('an operator before 0.14 does not name a target that it may not write: the Secret itself does', async () => {
      await open()
      room.operator.old = true
      await room.makeExternalSecret({}, 'second')
      const consumer = room.consumer({ ...plain, externalSecret: 'second' })
      const change = room.publish()
      const failing = 'the operator could not sync it (SecretSyncedError: could not update Secret)'
      const state = await says(change, consumer, `${failing}: the Secret db belongs to the ExternalSecret db; ${notSynced}`)
      assert.equal(state.code, 'bad_config')
      assert.deepEqual(await checked(consumer), {
        verdict: 'refuse',
        why: 'The operator cannot write the value: the Secret db belongs to the ExternalSecret db.',
        next: 'Give one of the two another target.name.',
      })
      await lab.api.patch(`/api/v1/namespaces/${room.namespace}/secrets/db`, { immutable: true })
      await says(change, room.consumer(plain), `${failing}: the Secret db is immutable; ${notSynced}`)
    })

    for (const [reason, spec, evidence] of [
      ['SecretDeleted', { target: { name: 'db', deletionPolicy: 'Delete' } }, 'secret deleted due to DeletionPolicy=Delete'],
      ['SecretMissing', { target: { name: 'third', creationPolicy: 'Merge' } }, 'secret will not be created due to CreationPolicy=Merge'],
    ] as const)
      it(`after ${reason} the operator is done until its interval: said, waited for by the preflight, and asked again`, async () => {
        await open()
        const name = reason === 'SecretDeleted' ? 'db' : 'second'
        if (name === 'db') await lab.api.patch(externalSecret(), { spec })
        else await room.makeExternalSecret(spec, name)
        room.operator.fault = name === 'db' ? 'gone' : undefined
        const consumer = room.consumer({ ...plain, externalSecret: name })
        const change = room.publish()
        const { phase, code } = await says(change, consumer, `the operator wrote nothing (${reason}: ${evidence})`)
        assert.deepEqual([phase, code], ['requested', undefined])
        const found = await checked(consumer)
        assert.ok(found.verdict === 'wait' && found.asks && found.why.includes(reason), JSON.stringify(found))
        assert.match(found.next, /does not try again by itself: keyturn sweep asks it to/)
        room.operator.fault = undefined
        const made = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'third' } }
        if (name === 'second') await lab.api.must('POST', `/api/v1/namespaces/${room.namespace}/secrets`, made)
        await never(notifier, room, change, consumer, 'synced', /wrote nothing/) // it does not come back by itself
        await askedAgain(change, consumer, name)
        room.env.time = Date.now() + 60_000
        await follow(notifier, room, change, consumer, 'drained')
      })

    it('an operator before 0.20 never passes the request of a ClusterExternalSecret on: said, and never synced', async () => {
      await open()
      room.operator.passesOn = false
      await room.makeParent(`old-${which}`)
      const consumer = room.consumer({ ...plain, externalSecret: undefined, clusterExternalSecret: `old-${which}` })
      const change = room.publish()
      await look(change, consumer)
      const evidence = await never(notifier, room, change, consumer, 'synced')
      assert.equal(evidence, `old-${which} is marked, its ExternalSecret not yet (an operator before 0.20 never passes the mark on)`)
    })

    it('a generic target writes no Secret: refused, misconfigured, and never synced', async () => {
      await open()
      await room.makeExternalSecret({ target: { name: 'third', manifest: { apiVersion: 'v1', kind: 'ConfigMap' } } }, 'second')
      const consumer = room.consumer({ ...plain, externalSecret: 'second' })
      const found = await checked(consumer)
      assert.deepEqual(found, {
        verdict: 'refuse',
        why: 'The ExternalSecret second writes a ConfigMap, and no Secret (target.manifest).',
        next: 'Remove target.manifest, or name an ExternalSecret that writes a Secret.',
      })
      const { phase, code } = await says(room.publish(), consumer, 'it writes a ConfigMap, and no Secret (target.manifest)')
      assert.deepEqual([phase, code], ['requested', 'bad_config'])
    })

    it('a field is compared with the bytes that the operator writes: numbers, objects, null, booleans and other scripts', async () => {
      await open()
      const value = (password: string): string =>
        `{\n  "password": "${password}",\n  "rate": 1.50, "big": 1e3, "none": null, "on": true, "off": false,\n  "käse": "ü ☃",\n  "a b": "c",\n  "inner": {\n    "z": [ 1.0 ],\n    "a": null\n  }\n}`
      // The API server takes no key with a letter beyond ASCII.
      const plainNames = (text: string): string => text.replace('"käse"', '"kaese"')
      room.value = plainNames(value('first'))
      room.operator.refresh()
      const change = room.publish()
      room.value = plainNames(value('second'))
      room.env.time = Date.now() + 60_000
      await follow(notifier, room, change, room.consumer(plain), 'drained')
      const { data = {} } = (await secret()) as { data?: Record<string, string> }
      const text = (key: string): string => Buffer.from(data[key] ?? '-', 'base64').toString('utf8')
      assert.deepEqual(['rate', 'none', 'on', 'kaese', 'a_b', 'inner'].map(text), [
        '1.50',
        '',
        'true',
        'ü ☃',
        'c',
        '{\n    "z": [ 1.0 ],\n    "a": null\n  }',
      ])
    })

    it('an operator without a lock: a read that began before the request is not taken for one after it', async () => {
      await open()
      room.operator.old = true
      room.operator.refresh()
      await until('a note of its form', async () => {
        const { status } = await lab.api.must('GET', externalSecret())
        return (status as { syncedResourceVersion?: string } | undefined)?.syncedResourceVersion?.length === '1-'.length + 32
      })
      let release = (): void => {}
      const held = new Promise<void>((resolve) => {
        release = resolve
      })
      const before_ = room.value
      let reads = 0
      room.provider = async () => {
        if (reads++ > 0) return room.value
        await held
        return before_
      }
      await lab.api.patch(externalSecret(), { metadata: { labels: { team: 'shop' } } })
      await until('the read', async () => reads > 0)
      const consumer = room.consumer(plain)
      const change = room.publish()
      assert.match((await look(change, consumer)).evidence, /was asked to sync/)
      release()
      room.env.time = Date.now() + 60_000
      const seen = await follow(notifier, room, change, consumer, 'drained')
      assert.ok(!seen.some(({ phase }) => phase === 'synced'), JSON.stringify(seen))
    })
  })
}
