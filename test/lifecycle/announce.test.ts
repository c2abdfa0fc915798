import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Change, Consumer, Notifier } from '../../shared/core/ports/notifier.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { World } from '../harness/world.js'

describe('two announce passes at once', () => {
  for (const profile of Object.keys(profiles) as ProfileName[]) {
    if (profiles[profile].serviceDriven) continue
    it(`${profile}: a pass that was overtaken on its way does not leave the older publication as the last that was heard`, async () => {
      const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles[profile], effects), `announce-${profile}`, {
        'keyturn-consumers': 'billing',
      })
      const heard: Change[] = []
      let meanwhile: (() => Promise<void>) | undefined
      const notifier: Notifier = {
        kind: 'memory',
        preflight: async () => ({ verdict: 'ok' }),
        advance: async (change) => {
          const act = meanwhile
          meanwhile = undefined
          await act?.() // the delivery of the first pass is slow
          heard.push(change)
          return { phase: 'requested', evidence: 'heard' }
        },
        classify: () => 'internal',
      }
      const consumer: Consumer = { key: 'billing', kind: 'memory', required: false, settings: new SecretText('{}') }
      world.configuration = { ...noConfiguration, consumers: { billing: consumer } }
      world.loadNotifier = async () => notifier
      const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
      await tell() // the first value
      heard.length = 0
      await world.run(world.newProcess())
      meanwhile = async () => {
        world.env.time += 1000
        await world.run(world.newProcess(), { kind: 'emergency', reason: 'a leak' })
        assert.equal((await tell()).outcome, 'announced')
      }
      await tell()
      const { current, journal } = await world.store.describe(world.ref)
      assert.equal(journal?.announced, current?.id)
      assert.equal(heard.at(-1)?.version, current?.id, 'the last that was heard is what is current')
      assert.equal(heard.length, 3)
      assert.equal(heard[0]?.id, heard[2]?.id, 'one publication has one id')
      assert.equal((await tell()).outcome, 'none')
    })
  }
})
