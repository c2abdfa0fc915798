import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { eventOf } from '../../shared/core/cloud-event.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { addConsumers, type Consumer } from '../harness/consumers.js'
import { countedStoreOf } from '../harness/gcp-counted.js'
import { watchedGcp } from '../harness/gcp-watched.js'
import { type MemoryClass, World } from '../harness/world.js'

const dayMs = 86_400_000

describe('who reads a secret in Google Secret Manager', () => {
  const watched = watchedGcp()
  after(async () => watched.close?.())
  let count = 0
  const open = async (rotator: MemoryClass) => {
    const world = await World.open(rotator, watched.open, `gcp-readers-${++count}`, { 'keyturn-consumers': 'c0-prompt' })
    const [consumer = assert.fail('no consumer')] = addConsumers(world, [['prompt', true]])
    const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    await tell()
    return { world, consumer, tell }
  }
  const clientOf = (world: World) => new SecretManagerServiceClient(countedStoreOf(world).double.clientOptions)
  const textAt = async (client: SecretManagerServiceClient, name: string): Promise<string> => {
    const [{ payload }] = await client.accessSecretVersion({ name })
    return Buffer.from(payload?.data ?? '').toString()
  }
  const eventFor = ({ told }: Consumer): Record<string, unknown> => {
    const change = told.at(-1) ?? assert.fail('nothing was told')
    return { ...eventOf(change, { key: 'one' }).data }
  }

  it('is told the whole name of the version, and reads by it what was published', async () => {
    const { world, consumer, tell } = await open('a')
    const client = clientOf(world)
    for (const version of [2, 3]) {
      world.env.time += dayMs
      await world.run(world.newProcess(), { at: world.env.time })
      await tell()
      const { resource } = eventFor(consumer)
      assert.equal(resource, `${world.ref.key}/versions/${version}`)
      assert.match(String(resource), /^projects\/\d+\/secrets\/db\/versions\/\d+$/)
      assert.equal(await textAt(client, String(resource)), await world.currentText())
    }
    await world.writeByHand()
    await tell()
    assert.deepEqual([eventFor(consumer).resource, eventFor(consumer).cause], [`${world.ref.key}/versions/4`, 'foreign'])
    await client.close()
  })

  for (const rotator of ['a', 'b'] as const) {
    it(`over the wire and without pause, by latest, by alias and by number: no untested value, no failed access (${rotator})`, async () => {
      const { world, consumer, tell } = await open(rotator)
      const client = clientOf(world)
      /** From the moment on at which the target accepted a login with it. */
      const isTested = (text: string): boolean => {
        const { username, password } = JSON.parse(text) as { username: string; password: string }
        const { logins } = world.target
        return text === world.firstValue || logins.some((one) => one.accepted && one.user === username && one.secret === password)
      }
      const seen: Record<string, number> = {}
      let isOver = false
      const look = async (reader: string, nameOf: () => string): Promise<void> => {
        while (!isOver) {
          const text = await textAt(client, nameOf())
          assert.ok(isTested(text), `${reader} read it untested`)
          seen[reader] = (seen[reader] ?? 0) + 1
        }
      }
      const rotated = async (): Promise<void> => {
        world.env.time += dayMs
        await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))
        await world.run(world.newProcess(), { at: world.env.time })
        await tell()
      }
      await rotated()
      const readers = [
        look('latest', () => `${world.ref.key}/versions/latest`),
        look('current', () => `${world.ref.key}/versions/current`),
        look('number', () => String(eventFor(consumer).resource)),
      ]
      const rotations = (async () => {
        for (let turn = 0; turn < 2; turn++) await rotated()
      })().finally(() => {
        isOver = true
      })
      await Promise.all([rotations, ...readers])
      assert.equal(await world.published(), 3)
      for (const reader of ['latest', 'current', 'number']) assert.ok((seen[reader] ?? 0) > 50, `${reader}: ${seen[reader]} looks`)
      await client.close()
    })
  }
})
