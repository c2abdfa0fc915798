import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { Code } from '../../shared/core/ports/errors.js'
import type { Consumer, ConsumerState, Notifier } from '../../shared/core/ports/notifier.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { noteOf, saysElse } from '../../shared/lifecycle/consumers/deliver.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { type Swept, sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { World } from '../harness/world.js'

const minuteMs = 60_000

/** One required consumer that says what a test wants it to say. */
async function open() {
  const policy = { 'keyturn-consumers': 'web', 'keyturn-grace': '10h' }
  const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles.k8s, effects), 'evidence', policy)
  let fails: RotationError | undefined
  let says: Omit<ConsumerState, 'again'> = { phase: 'drained', evidence: 'all of it' }
  const consumer: Consumer = { key: 'web', kind: 'memory', required: true, settings: new SecretText('{}') }
  world.configuration = { ...noConfiguration, consumers: { web: consumer } }
  const notifier: Notifier = {
    kind: 'memory',
    preflight: async () => ({ verdict: 'ok' }),
    advance: async () => {
      if (fails !== undefined) throw fails
      return { ...says, ...(says.phase === 'drained' ? {} : { again: world.env.time + 2000 }) }
    },
    classify: (cause) => codeOf(cause) ?? 'internal',
  }
  world.loadNotifier = async () => notifier
  const pass = (): Promise<Swept[]> => {
    world.env.time += 5 * minuteMs
    return world.act(world.newProcess(), async (deps) => {
      const all: Swept[] = []
      for await (const one of sweep(deps)) all.push(one)
      return all
    })
  }
  const noted = async (): Promise<string | undefined> => {
    const { state } = await world.act(world.newProcess(), (deps) => statusOf(deps, world.ref.shown))
    return state.journal?.seen?.web?.evidence
  }
  const rev = async () => (await world.store.describe(world.ref)).rev
  const say = (evidence: string, phase: ConsumerState['phase'] = 'requested', code?: Code): void => {
    says = { phase, evidence, ...(code ? { code } : {}) }
  }
  const fail = (code: Code, message: string): void => {
    fails = new RotationError(code, message, { next: 'Correct it.' })
  }
  await pass()
  await world.run(world.newProcess())
  return { world, pass, noted, rev, say, fail }
}

describe('what a consumer said last', () => {
  it('is in the notes, so that status shows it: another reason is noted, the same one is not', async () => {
    const { pass, noted, rev, say } = await open()
    say('db was asked to sync')
    await pass()
    assert.equal(await noted(), 'db was asked to sync')
    say('the operator could not sync it')
    await pass()
    assert.equal(await noted(), 'the operator could not sync it')
    await pass() // asks about the credential that left, because the consumer has said something else
    const before = await rev()
    await pass()
    assert.deepEqual(await rev(), before, 'a look alone writes nothing')
  })

  it('is a misconfiguration only for as long as the request is not followed', async () => {
    const { world, pass, noted, say } = await open()
    const code = async () => (await world.store.describe(world.ref)).journal?.seen?.web?.code
    say('its target belongs to another', 'requested', 'bad_config')
    await pass()
    assert.deepEqual([await code(), await noted()], ['bad_config', 'its target belongs to another'])
    say('no old pod is left', 'drained')
    await pass()
    assert.deepEqual([await code(), await noted()], [undefined, 'no old pod is left'])
  })

  it('is in what a sweep says of an announcement, in words and by consumer', async () => {
    const { pass, say } = await open()
    say('the operator could not sync it (SecretSyncedError)')
    const told = (await pass()).find(({ action }) => action === 'announce')
    assert.match(told?.outcome ?? '', /web requested: the operator could not sync it \(SecretSyncedError\)/)
    assert.deepEqual(told?.consumers, [
      { consumer: 'web', phase: 'requested', code: null, evidence: 'the operator could not sync it (SecretSyncedError)' },
    ])
  })

  it('is why a credential is kept', async () => {
    const { world, pass, say } = await open()
    say('the operator could not sync it')
    await pass()
    const { entries } = await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))
    assert.equal(entries[0]?.why, 'not yet on the current version: web (requested: the operator could not sync it)')
  })

  it('is why the next rotation may not start: bad_config for a consumer that is misconfigured, even before it was ever told', async () => {
    const refusal = async (code: Code, message: string) => {
      const { world, pass, fail } = await open()
      fail(code, message)
      await pass()
      const { next } = await world.act(world.newProcess(), (deps) => statusOf(deps, world.ref.shown))
      return next.do === 'refuse' ? [next.code, next.why] : [next.do]
    }
    assert.deepEqual(await refusal('delivery_failed', 'The cluster is out of reach.'), [
      'held',
      'the last publication is not announced to every consumer yet: web could not be notified; The cluster is out of reach',
    ])
    const missing = await refusal('bad_config', 'There is no ExternalSecret db.')
    assert.deepEqual(missing, ['bad_config', 'a required consumer is misconfigured: web: There is no ExternalSecret db'])
  })

  it('counts are not worth a note, nor are the names of pods while a rollout goes on; a reason in brackets is', () => {
    const differs = (phase: ConsumerState['phase'], before: string, now: string): boolean =>
      saysElse({ version: 'v' as never, at: 0, phase, evidence: before }, { phase, evidence: now })
    assert.equal(differs('verified', 'drained in 12 s', 'drained in 8 s'), false)
    assert.equal(differs('restarted', 'web has 3 old pods (a, b, c)', 'web has 2 old pods (b, c)'), false)
    assert.equal(differs('restarted', 'web has 3 old pods (a)', 'web has passed its progress deadline'), true)
    assert.equal(differs('requested', 'could not sync (A)', 'could not sync (B)'), true)
  })

  it('is one line of limited length', () => {
    assert.equal(noteOf(' a\n\tb\u0000c '), 'a b c')
    assert.equal(noteOf('x'.repeat(1000)).length, 300)
  })
})
