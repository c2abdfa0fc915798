import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { SecretText } from '../../shared/core/secret-text.js'
import { noConfiguration } from '../../shared/lifecycle/deps.js'
import { sweep } from '../../shared/lifecycle/sweep.js'
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
    const policy = { 'keyturn-targets': 'web', 'keyturn-grace': '30m' }
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
    const target = room.target({ remoteKey: 'db', workloads: [`${kind}/web`] })
    world.configuration = { ...noConfiguration, targets: { web: target } }
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
