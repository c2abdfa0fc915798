import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SecretText } from '../../../shared/core/secret-text.js'
import { announce } from '../../../shared/lifecycle/consumers/announce.js'
import { recover } from '../../../shared/lifecycle/rotation/recover.js'
import { profiles } from '../../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../../shared/stores/memory.js'
import { byHand, type Walk, type Way } from '../../harness/runbook-walk.js'
import { laterMs, World } from '../../harness/world.js'

let opened = 0
/** On a store whose writes have no condition, which the command line does not open yet: the same code, without the words. */
async function unconditional(at: string): Promise<World> {
  const open = () => World.open('a', (env, effects) => new MemoryStore(env, profiles.gcp, effects), `runbook-${++opened}`)
  const dry = await open()
  const rehearsal = dry.newProcess()
  await dry.run(rehearsal)
  const world = await open()
  await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  if (at === '') return world
  await world
    .run(world.newProcess([{ at: rehearsal.effects.indexOf(at), mode: 'act', act: () => world.writeByHand() }]))
    .catch(() => undefined)
  return world
}

async function placeholder(walk: Walk): Promise<void> {
  await walk.stored()
  await walk.keyturn.ok(['put', walk.ref], { stdin: '{"password":"CHANGE_ME"}' })
  await walk.fails('bad_value', 'adopt', '--rotator', 'memory-a')
}

/** The states of what is stored. */
export const waysOfValues: Readonly<Record<string, Way>> = {
  'pending value refused': async (walk) => {
    await walk.adopted()
    await walk.run('rotate', '--step', 'create')
    await walk.fails('rejected', 'rotate', '--step', 'test')
    await walk.out('recover', ['--yes'])
    assert.equal((await walk.state()).pending, undefined)
    await walk.run('rotate')
    await walk.well()
  },
  'current refused, nothing pending': async (walk) => {
    await walk.adopted()
    walk.target.accounts.set('app_a', byHand)
    await walk.note({ checked: { version: (await walk.state()).current?.id as never, code: 'target_auth' } })
    assert.equal(await walk.code(), 'target_auth')
    await walk.out('put', [], walk.value(byHand))
    assert.equal(await walk.code(), null)
    await walk.well()
  },
  'current refused, and a put is held by grace': async (walk) => {
    await walk.adopted('b', 'grace=1h')
    await walk.run('rotate')
    const user = (JSON.parse(await walk.read((await walk.state()).current?.id as never)) as { username: string }).username
    walk.target.accounts.set(user, byHand)
    walk.target.accounts.set(user === 'app_a' ? 'app_b' : 'app_a', '')
    walk.says('recover', '--yes')
    assert.equal(((await walk.said('recover', '--yes')).error as { code: string }).code, 'stuck')
    await walk.out('put', [], walk.value(byHand, user))
    assert.equal(await walk.code(), null)
    await walk.well()
  },
  'current overwritten by a placeholder': async (walk) => {
    await placeholder(walk)
    await walk.out('recover', ['--rotator', 'memory-a', '--yes'])
    await walk.run('adopt', '--rotator', 'memory-a')
    await walk.well()
  },
  'current overwritten, previous still good': async (walk) => {
    await placeholder(walk)
    await walk.out('rollback', ['--rotator', 'memory-a', '--reason', 'test'])
    await walk.run('adopt', '--rotator', 'memory-a')
    await walk.well()
  },
  'foreign write': async (walk) => {
    const world = await unconditional('publish.intent')
    const right = await world.currentText()
    world.env.time += laterMs
    await world.run(world.newProcess(), { kind: 'resume' }).catch(() => undefined)
    await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    world.env.time += 8 * laterMs
    walk.says('put')
    const { outcome } = await world.run(world.newProcess(), { kind: 'put' }, new SecretText(right.replace('stays', 'is right')))
    assert.deepEqual([outcome, world.accepts(await world.currentText())], ['published', true])
  },
  contested: async (walk) => {
    const world = await unconditional('publish')
    const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    await assert.rejects(tell(), { code: 'stuck' })
    walk.says('recover')
    const found = await world.act(world.newProcess(), (deps) => recover(deps, world.store, world.ref.shown, true))
    assert.deepEqual([found.done, (await tell()).outcome, world.accepts(await world.currentText())], [true, 'announced', true])
  },
  'staging mark lost': async (walk) => {
    const world = await unconditional('')
    await world.run(world.newProcess(), { step: 'create' })
    ;(world.store as MemoryStore).stripPending(world.ref)
    world.env.time += laterMs
    const { pending, loose } = await world.store.describe(world.ref)
    assert.deepEqual([pending, loose.length], [undefined, 1])
    walk.says('rotate', '--resume')
    await world.run(world.newProcess(), { kind: 'resume' })
    assert.deepEqual([(await world.store.describe(world.ref)).loose, world.accepts(await world.currentText())], [[], true])
  },
  'staging place lost': async (walk) => {
    const world = await unconditional('')
    ;(world.store as MemoryStore).disturb(world.ref, 'place lost')
    await assert.rejects(world.run(world.newProcess()), { code: 'stuck', message: /staging place is gone/ })
    walk.says('recover', '--yes')
    const found = await world.act(world.newProcess(), (deps) => recover(deps, world.store, world.ref.shown, true))
    assert.deepEqual([found.done, found.action.do], [true, 'unstick'])
    assert.equal((await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))).outcome, 'announced')
    assert.equal((await world.run(world.newProcess())).outcome, 'published')
  },
  'staging place lost after a password was set': async (walk) => {
    const world = await unconditional('')
    await world.run(world.newProcess([{ at: 4, mode: 'after' }])).catch(() => undefined)
    ;(world.store as MemoryStore).disturb(world.ref, 'place lost')
    world.env.time += laterMs
    const found = await world.act(world.newProcess(), (deps) => recover(deps, world.store, world.ref.shown, true))
    assert.equal(found.action.do, 'by hand')
    world.target.accounts.set('app_a', byHand)
    walk.says('put')
    const right = JSON.stringify({ ...(JSON.parse(world.firstValue) as object), password: byHand })
    const { outcome } = await world.run(world.newProcess(), { kind: 'put' }, new SecretText(right))
    assert.deepEqual([outcome, world.accepts(await world.currentText())], ['published', true])
    assert.equal((await world.store.describe(world.ref)).journal?.code, undefined)
  },
  "a platform's rotation that does not end": async (walk) => {
    const world = await World.open('a', (env, effects) => new MemoryStore(env, profiles.aws, effects), `runbook-${++opened}`)
    await world.serve(world.newProcess(), await world.startNative(), 'create')
    const put = () => world.run(world.newProcess(), { kind: 'put' }, new SecretText(world.firstValue.replace('stays', 'is right')))
    await assert.rejects(put(), { code: 'held', message: /in the middle of a rotation/ })
    const tryIt = () => world.act(world.newProcess(), (deps) => recover(deps, world.store, world.ref.shown, true))
    assert.equal((await tryIt()).action.do, 'nothing', 'one of its invocations may still be at work')
    world.env.time += laterMs
    walk.says('recover', '--yes')
    assert.deepEqual([(await tryIt()).action.do, (await put()).outcome], ['discard', 'published'])
    assert.ok(world.accepts(await world.currentText()))
  },
  'journal lost': async (walk) => {
    const world = await unconditional('')
    await world.run(world.newProcess(), { step: 'create' })
    ;(world.store as MemoryStore).wipeJournal(world.ref)
    assert.equal((await world.store.describe(world.ref)).loose.length, 1)
    walk.says('rotate')
    await world.run(world.newProcess(), { kind: 'resume' })
    assert.deepEqual([(await world.store.describe(world.ref)).loose, world.accepts(await world.currentText())], [[], true])
  },
  'configuration broken': async (walk) => {
    const broken = { KEYTURN_CONFIG: walk.ref }
    await walk.keyturn.ok(['put', walk.ref], { stdin: '{"consumers":{"x":{"kind":"pigeon"}}}' })
    const { keyturn } = walk
    await keyturn.ok(['put', `${walk.ref}-db`], { stdin: walk.value() })
    walk.target.accounts.set('app_a', 'first-password-0123456789')
    const adopt = ['adopt', `${walk.ref}-db`, '--rotator', 'memory-a']
    assert.equal((await keyturn.json(adopt, { env: broken })).error?.code, 'bad_config')
    walk.env = broken
    await walk.out('put', [], '{"consumers":{}}')
    await keyturn.ok(adopt, { env: broken })
  },
  'key lost': async (walk) => {
    await walk.stored()
    const env = { KEYTURN_KEY: Buffer.alloc(32, 7).toString('base64') }
    assert.equal((await walk.keyturn.json(['get', walk.ref], { env })).error?.code, 'bad_config')
    await walk.out('get')
  },
  'file damaged': async (walk) => {
    await walk.stored()
    const path = join(walk.keyturn.home, 'secrets', `${walk.name}.json`)
    const backup = await readFile(path)
    await writeFile(path, backup.subarray(0, backup.length - 20))
    assert.equal((await walk.json('get')).error?.code, 'damaged')
    await writeFile(path, backup)
    await walk.out('get')
  },
}
