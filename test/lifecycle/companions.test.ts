import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { preflightPass } from '../../shared/lifecycle/consumers/preflight.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { dayMs, SelfIssuedWorld } from '../harness/self-issued-world.js'

interface Keys {
  readonly current: { readonly kid: string }
  readonly next: { readonly kid: string }
  readonly previous: { readonly kid: string } | null
}
const jwt = { 'keyturn-rotator': 'jwt', 'keyturn-algorithm': 'ES256', 'keyturn-companions': 'jwks' }
const kidsIn = (text: string): string[] => (JSON.parse(text) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
const publicSet = (at: string) => ({ content: 'public-set', at, order: 'before' }) as const

async function signer(world: SelfIssuedWorld, at = 'memory:jwt-public'): Promise<{ ref: SecretRef; set: SecretRef }> {
  world.companions({ jwks: publicSet(at) })
  return { ref: await world.create('jwt', {}, jwt), set: await world.create('jwt-public', {}, {}, world.other) }
}

describe('companions', () => {
  it('a public set in another store is published before its source, holds every key and no private half', async () => {
    const world = new SelfIssuedWorld()
    const { ref, set } = await signer(world)
    const order: string[] = []
    world.watch = async (name) => {
      if (!name.endsWith('publish')) return
      order.push(name)
      const { current } = await world.json<Partial<Keys>>(ref)
      if (current) assert.ok(kidsIn(await world.text(set, world.other)).includes(current.kid))
    }
    for (let turn = 0; turn < 4; turn++) {
      await world.rotate(ref)
      const { current, next, previous } = await world.json<Keys>(ref)
      const text = await world.text(set, world.other)
      assert.deepEqual(
        kidsIn(text),
        [current, next, previous].flatMap((key) => key?.kid ?? []),
      )
      assert.ok(!/"(d|p|q|dp|dq|qi|k)":/.test(text))
      world.env.time += 2 * dayMs
    }
    assert.deepEqual(order.slice(0, 2), ['other.publish', 'publish'])
    const { journal, current } = await world.state(ref)
    assert.equal(journal?.seen?.jwks?.phase, 'drained')
    assert.equal(journal?.seen?.jwks?.version, current?.id)
  })

  it('outside the stores: an artefact gets the same set; a source that has nothing public is refused there', async () => {
    const world = new SelfIssuedWorld()
    const { ref } = await signer(world, 'path:/srv/jwks.json')
    await world.rotate(ref)
    const { current, next } = await world.json<Keys>(ref)
    assert.deepEqual(kidsIn(world.files.get('path:/srv/jwks.json') ?? ''), [current.kid, next.kid])
    const random = await world.create('key', { key: 'Canary-first' }, { 'keyturn-rotator': 'random', 'keyturn-companions': 'jwks' })
    await assert.rejects(world.rotate(random), (cause) => codeOf(cause) === 'bad_config')
    assert.deepEqual(await world.json(random), { key: 'Canary-first' })
  })

  it('while the place of the set is down nothing is published; then the same rotation goes on', async () => {
    const world = new SelfIssuedWorld()
    const { ref } = await signer(world)
    await world.rotate(ref)
    const before = await world.json<Keys>(ref)
    world.env.time += 2 * dayMs
    world.down.add('memory:jwt-public')
    await assert.rejects(world.rotate(ref))
    assert.deepEqual(await world.json<Keys>(ref), before)
    world.down.clear()
    world.env.time += dayMs / 24
    await world.sweep()
    assert.equal((await world.json<Keys>(ref)).current.kid, before.next.kid)
  })

  it('after: a login is written into what stands there, whose shape stays; a copy is byte-identical; each retried by sweeps', async () => {
    const world = new SelfIssuedWorld()
    const target = new MemoryTarget()
    setMemoryTarget('companions', target)
    target.accounts.set('app_a', 'first-password-0123456789')
    const value = { engine: 'memory-a', target: 'companions', username: 'app_a', password: 'first-password-0123456789', note: 'stays' }
    world.companions({
      short: { content: 'credential', at: 'memory:short', order: 'after' },
      copy: { content: 'copy', at: 'memory:copy', order: 'after' },
    })
    const ref = await world.create('db', value, { 'keyturn-rotator': 'memory-a', 'keyturn-companions': 'short copy' })
    const short = await world.create('short', { ...value, note: 'of its own', extra: 1 }, {}, world.other)
    const copy = await world.create('copy', { old: true }, {}, world.other)
    world.down.add('memory:copy')
    await world.rotate(ref)
    const { password } = await world.json<{ password: string }>(ref)
    assert.deepEqual(await world.json(short, world.other), { ...value, note: 'of its own', extra: 1, password })
    assert.deepEqual(await world.json(copy, world.other), { old: true })
    const { journal } = await world.state(ref)
    assert.deepEqual([journal?.seen?.short?.phase, journal?.seen?.copy?.phase], ['drained', 'failed'])
    world.env.time += dayMs / 24
    await assert.rejects(
      world.rotate(ref),
      (cause) => codeOf(cause) === 'held' && /copy \(memory:copy\) could not be notified/.test(String(cause)),
    )
    world.down.clear()
    await world.sweep()
    assert.equal(await world.text(copy, world.other), await world.text(ref))
    assert.equal((await world.state(ref)).journal?.announced, (await world.state(ref)).current?.id)
  })

  it('drift is reported and healed by the next sweep, in a store and outside of it', async () => {
    const world = new SelfIssuedWorld()
    const { ref, set } = await signer(world)
    world.companions({ jwks: publicSet('memory:jwt-public'), file: publicSet('path:/srv/jwks.json') })
    await world.main.setPolicy(ref, { 'keyturn-companions': 'jwks file' })
    await world.rotate(ref)
    const [right, file] = [await world.text(set, world.other), world.files.get('path:/srv/jwks.json')]
    assert.deepEqual(await world.sweep(), [])
    world.env.time += 60_000
    const { current } = await world.state(set, world.other)
    assert.ok(current)
    world.other.writeForeign(set, new SecretText('{"keys":[]}'))
    world.files.set('path:/srv/jwks.json', 'gone')
    world.env.time += 60_000
    const [healed] = await world.sweep()
    assert.equal(healed?.action, 'companions')
    for (const [name, at] of [
      ['jwks', 'memory:jwt-public'],
      ['file', 'path:/srv/jwks.json'],
    ])
      assert.ok(healed?.outcome.includes(`${name}: ${at} had drifted and was written again`), healed?.outcome)
    assert.equal(await world.text(set, world.other), right)
    assert.equal(world.files.get('path:/srv/jwks.json'), file)
  })

  it('closes the gate while it is behind, and never opens it: that it was written says nothing of who reads it', async () => {
    const world = new SelfIssuedWorld()
    const target = new MemoryTarget()
    setMemoryTarget('pair', target)
    target.accounts.set('app_a', 'first-password-0123456789').set('app_b', '')
    const value = { engine: 'memory-b', target: 'pair', username: 'app_a', password: 'first-password-0123456789' }
    world.companions({ copy: { content: 'copy', at: 'memory:copy', order: 'after' } })
    const policy = { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b', 'keyturn-companions': 'copy' }
    const ref = await world.create('db', value, policy)
    await world.create('copy', {}, {}, world.other)
    await world.rotate(ref)
    world.env.time += 30 * dayMs
    const retire = () => world.act((deps) => retirePass(deps, ref.shown))
    const [entry] = (await retire()).entries
    assert.equal(entry?.state, 'undeclared')
    world.down.add('memory:copy')
    const [behind] = (await retire()).entries
    assert.match(behind?.why ?? '', /not yet on the current version: copy \(failed: .+\)/)
    assert.notEqual(target.accounts.get('app_a'), '')
  })

  it('what is certainly misconfigured is found before a rotation starts, and holds it by name; put right, it goes on', async () => {
    const world = new SelfIssuedWorld()
    const { ref, set } = await signer(world)
    await world.other.setPolicy(set, { 'keyturn-rotator': 'random' })
    const look = () => world.act((deps) => preflightPass(deps, ref.shown))
    assert.equal((await look())[0]?.found.verdict, 'refuse')
    await assert.rejects(world.rotate(ref), (cause) => codeOf(cause) === 'bad_config' && /misconfigured: jwks/.test(String(cause)))
    await world.other.setPolicy(set, { 'keyturn-rotator': null })
    assert.equal((await look())[0]?.found.verdict, 'ok')
    await world.rotate(ref)
  })

  it('itself, a circle, one that is rotated itself, one that is not there: refused by name, nothing changed', async () => {
    const world = new SelfIssuedWorld()
    const { ref, set } = await signer(world)
    const refused = (code: string, words: RegExp) => (cause: unknown) =>
      codeOf(cause) === code && words.test(String(cause)) && (cause as { field?: string }).field === 'companions.jwks.at'
    await world.other.setPolicy(set, { 'keyturn-rotator': 'random' })
    await assert.rejects(world.rotate(ref), refused('bad_config', /has keyturn-rotator itself/))
    await world.other.setPolicy(set, { 'keyturn-rotator': null, 'keyturn-companions': 'jwt' })
    await assert.rejects(world.rotate(ref), refused('bad_config', /in a circle/))
    await world.other.setPolicy(set, { 'keyturn-companions': null })
    world.companions({ jwks: publicSet('memory:nowhere') })
    await assert.rejects(world.rotate(ref), (cause) => codeOf(cause) === 'not_found')
    const self = await world.create('main-self', {}, jwt)
    world.companions({ jwks: publicSet('memory:main-self') })
    await assert.rejects(world.rotate(self), refused('bad_config', /is memory:main-self itself/))
    await world.main.setPolicy(ref, { 'keyturn-companions': 'jwks other' })
    await assert.rejects(
      world.rotate(ref),
      (cause) => codeOf(cause) === 'bad_config' && /keyturn-companions names other/.test(String(cause)),
    )
    assert.deepEqual(await world.json(ref), {})
  })
})
