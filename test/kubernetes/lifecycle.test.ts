import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { preflightPass } from '../../shared/lifecycle/consumers/preflight.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { type Kind, Lab, type Room } from '../harness/kube/lab.js'
import { until } from '../harness/kube/server.js'
import { laterMs, World } from '../harness/world.js'

/** Sweeps of the whole engine against the stand-in of a cluster, which die at any call and lose their journal. */
describe('sweeps that roll out in a cluster', () => {
  let lab: Lab
  let room: Room
  afterEach(async () => {
    await room.close()
    await lab.close()
  })

  async function open(rotator: 'a' | 'b', kind: Kind = 'Deployment') {
    lab = await Lab.open('fake')
    room = await lab.room(40)
    await room.makeStore(true)
    const policy = { 'keyturn-consumers': 'web', 'keyturn-grace': '30m' }
    const world = await World.open(rotator, (env, effects) => new MemoryStore(env, profiles.k8s, effects), `kube-${rotator}`, policy)
    room.value = world.firstValue
    room.operator.refresh()
    await room.makeWorkload(kind)
    const path = room.workloadPath(kind)
    await until('its pods', async () => {
      const { status } = await lab.api.must('GET', path)
      const { availableReplicas, numberAvailable } = (status ?? {}) as { availableReplicas?: number; numberAvailable?: number }
      return (kind === 'DaemonSet' ? numberAvailable : availableReplicas) === (kind === 'DaemonSet' ? 1 : 2)
    })
    const consumer = room.consumer({ remoteKey: 'db', workloads: [`${kind}/web`] })
    world.configuration = { ...noConfiguration, consumers: { web: consumer } }
    const notifier = create()
    world.loadNotifier = async () => notifier
    const once = () =>
      world.act(world.newProcess(), async (deps) => {
        for await (const _ of sweep(deps));
      })
    const phase = async (): Promise<string | undefined> => (await world.store.describe(world.ref)).journal?.seen?.web?.phase
    /** Until it has arrived, with what is done before each sweep. */
    const arrive = async (meanwhile: (pass: number) => Promise<void> = async () => {}): Promise<void> => {
      for (let pass = 0; pass < 300; pass++) {
        await meanwhile(pass)
        world.env.time += laterMs
        await once()
        if ((await phase()) === 'drained') return
        await delay(10)
      }
      assert.fail(`never drained: ${await phase()}`)
    }
    const publish = async (): Promise<void> => {
      await world.run(world.newProcess())
      room.before = room.value
      room.value = await world.currentText()
    }
    const generation = async (): Promise<number> => (await lab.api.must('GET', path)).metadata?.generation ?? 0
    return { world, arrive, publish, generation, once, secret: () => new SecretText(room.value) }
  }

  for (const rotator of ['a', 'b'] as const) {
    it(`class ${rotator}: restarted once a publication, and drained`, async () => {
      const { arrive, publish, generation, world } = await open(rotator)
      await arrive()
      for (let turn = 0; turn < 3; turn++) {
        const before = await generation()
        world.env.time += laterMs
        await publish()
        await arrive()
        assert.equal(await generation(), before + 1)
      }
    })
  }

  for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet'] as const)
    it(`${kind}: each call fails once, and journal and marks are wiped between sweeps: restarted once`, async () => {
      const { arrive, publish, generation, world } = await open('a', kind)
      await arrive()
      const before = await generation()
      await publish()
      const failed = new Set<string>()
      await arrive(async (pass) => {
        ;(world.store as MemoryStore).wipeJournal(world.ref)
        if ([2, 4, 7].includes(pass)) await room.wipeMarks()
        if (!lab.fake) return
        lab.fake.fault = (call) => {
          if (failed.has(call)) return undefined
          failed.add(call)
          return pass % 2 === 0 ? 'cut' : 'drop'
        }
      })
      assert.equal(failed.size, 7, `each call of the list was met once: ${[...failed]}`)
      assert.equal(await generation(), before + 1)
    })

  it('two clusters, one of them down for a week: the other is not held back, the secret is, and the cluster is named', async () => {
    const { world, arrive, publish, generation, once } = await open('b')
    const far = await Lab.open('fake')
    const there = await far.room(40)
    try {
      await there.makeStore(true)
      const follows = () => {
        there.before = room.before
        there.value = room.value
      }
      follows()
      there.operator.refresh()
      await there.makeWorkload('Deployment')
      const seen = async () => (await world.store.describe(world.ref)).journal?.seen ?? {}
      const isThere = async (): Promise<boolean> => (await seen()).far?.phase === 'drained'
      const named = { ...there.consumer({ cluster: 'west', remoteKey: 'db' }), key: 'far', place: 'cluster west' }
      await world.store.setPolicy(world.ref, { 'keyturn-consumers': 'web far' })
      world.configuration = { ...noConfiguration, consumers: { ...world.configuration.consumers, far: named } }
      await arrive()
      await until('both', async () => {
        world.env.time += laterMs
        await once()
        return isThere()
      })
      if (far.fake) far.fake.fault = () => 'cut'
      const before = await generation()
      await publish()
      follows()
      await arrive()
      assert.equal(await generation(), before + 1, 'the healthy one has it')
      for (let day = 0; day < 7; day++) {
        world.env.time += 86_400_000
        await once()
        const { far: state } = await seen()
        assert.deepEqual([state?.phase, state?.code], ['failed', 'delivery_failed'])
        assert.ok(world.accepts(room.before), 'the outgoing credential is kept')
        await assert.rejects(world.run(world.newProcess()), { code: 'held', message: /\bfar \(cluster west\)/ })
      }
      if (far.fake) far.fake.fault = () => undefined
      await until('the other one, and the end of the old credential', async () => {
        world.env.time += laterMs
        await once()
        const [arrived, old] = [await isThere(), world.accepts(room.before)]
        assert.ok(arrived || old, 'not retired before')
        return arrived && !old
      })
      await publish()
    } finally {
      await there.close()
      await far.close()
    }
  })

  it('two ExternalSecrets of the secret behind one workload: one rollout a publication', async () => {
    const { world, arrive, publish, generation, once } = await open('a')
    await room.makeExternalSecret({ target: { name: 'rendered' } }, 'rendered')
    const second = { ...room.consumer({ externalSecret: 'rendered', remoteKey: 'db' }), key: 'second' }
    await world.store.setPolicy(world.ref, { 'keyturn-consumers': 'web second' })
    world.configuration = { ...noConfiguration, consumers: { ...world.configuration.consumers, second } }
    const both = async (): Promise<void> => {
      await arrive()
      await until('the second', async () => {
        world.env.time += laterMs
        await once()
        return (await world.store.describe(world.ref)).journal?.seen?.second?.phase === 'drained'
      })
    }
    await both()
    const before = await generation()
    await publish()
    await both()
    assert.equal(await generation(), before + 1)
  })

  const target = (spec: object) => lab.api.patch(`${room.externalSecrets()}/db`, { spec: { target: { name: 'db', ...spec } } })
  const says = (text: string) =>
    until(text, async () => JSON.stringify((await lab.api.must('GET', `${room.externalSecrets()}/db`)).status).includes(text))
  const secrets = () => `/api/v1/namespaces/${room.namespace}/secrets`
  const ways: Readonly<
    Record<string, { readonly breaks: () => Promise<unknown>; readonly mends: () => Promise<unknown>; readonly code: string }>
  > = {
    SecretDeleted: {
      code: 'held',
      breaks: () => {
        room.operator.fault = 'gone'
        return target({ deletionPolicy: 'Delete' })
      },
      mends: async () => {
        room.operator.fault = undefined
      },
    },
    'secret retained': {
      code: 'held',
      breaks: async () => {
        room.operator.fault = 'gone'
        room.operator.refresh()
      },
      mends: async () => {
        room.operator.fault = undefined
      },
    },
    SecretMissing: {
      code: 'held',
      breaks: async () => {
        await lab.api.must('DELETE', `${secrets()}/db`)
        await target({ creationPolicy: 'Merge' })
      },
      mends: () => lab.api.must('POST', secrets(), { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' } }),
    },
    'target is immutable': {
      code: 'bad_config',
      breaks: async () => {
        await lab.api.patch(`${secrets()}/db`, { immutable: true })
        room.operator.refresh()
      },
      mends: () => lab.api.must('DELETE', `${secrets()}/db`),
    },
  }
  for (const [reason, { breaks, mends, code }] of Object.entries(ways))
    for (const known of ['drained', 'never asked'])
      it(`${reason}, which is mended, of a consumer that is ${known}: the rotation is held, the sweep asks the operator, and the rotation runs`, async () => {
        const { world, arrive, once, generation } = await open('a')
        if (known === 'drained') await arrive()
        else {
          await world.store.setPolicy(world.ref, { 'keyturn-consumers': 'none' })
          await once()
          await world.store.setPolicy(world.ref, { 'keyturn-consumers': 'web' })
        }
        await breaks()
        await says(reason)
        await mends()
        const before = await generation()
        world.env.time += laterMs
        const rotateChecked = () =>
          world.act(world.newProcess(), async (deps) => {
            const checked = await preflightPass(deps, world.ref.shown)
            return rotate({ ...deps, checked }, { kind: 'rotate', ref: world.ref.shown, at: world.env.time })
          })
        await assert.rejects(rotateChecked(), (cause) => codeOf(cause) === code && /keyturn sweep asks it to/.test(String(cause)))
        await assert.rejects(rotateChecked(), { code }, 'nobody asked it yet')
        await until('the answer of the operator', async () => {
          world.env.time += laterMs
          await once()
          const { phase, code: now } = (await world.store.describe(world.ref)).journal?.seen?.web ?? {}
          return phase === 'drained' && now === undefined
        })
        assert.equal(await generation(), known === 'drained' ? before : before + 1, 'pods that have the value are left alone')
        const { outcome } = await rotateChecked()
        assert.equal(outcome, 'published')
        room.before = room.value
        room.value = await world.currentText()
        await arrive()
      })

  it('two sweeps at once: restarted once', async () => {
    const { arrive, publish, generation, once, world } = await open('b')
    await arrive()
    const before = await generation()
    await publish()
    for (let pass = 0; pass < 30; pass++) {
      world.env.time += laterMs
      await Promise.all([once(), once()])
      await delay(10)
    }
    await arrive()
    assert.equal(await generation(), before + 1)
  })
})
