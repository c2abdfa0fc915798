import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { createReceiver } from '../../shared/app/receive.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { signMessage } from '../../shared/core/signature.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { changeOf } from '../../shared/lifecycle/decide/publication.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { consumer, key, WebhookServer } from '../harness/webhook-server.js'
import { laterMs, World } from '../harness/world.js'

async function openWorld(name: string, port: number): Promise<World> {
  const world = await World.open('b', (env, effects) => new MemoryStore(env, undefined, effects), name, { 'keyturn-consumers': 'billing' })
  world.env.time = Date.now()
  const [other, person] = [
    { ...consumer(port), key: 'other' },
    { ...consumer(port), key: 'person', kind: 'manual' },
  ]
  world.configuration = { ...noConfiguration, consumers: { billing: consumer(port), other, person } }
  world.loadNotifier = loadNotifier
  await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  world.env.time += 1000
  await world.run(world.newProcess(), { at: world.env.time })
  return world
}

describe('keyturn receive', () => {
  let world: World
  let hook: WebhookServer
  const server = createReceiver(async () => world.deps('receiver'))
  before(async () => {
    hook = await WebhookServer.open()
    world = await openWorld('receive', hook.port)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => {
    server.close()
    server.closeAllConnections()
    hook.close()
  })
  const post = async (body: string, headers: Record<string, string> = {}, method = 'POST'): Promise<number> => {
    const { port } = server.address() as AddressInfo
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method, headers, ...(method === 'POST' ? { body } : {}) })
    await answer.text()
    return answer.status
  }
  const signed = (body: string, at = world.env.time, with_ = key): Record<string, string> => ({
    ...signMessage([new SecretText(with_)], 'message', at, body),
  })
  const receiptOf = async (more: object = {}): Promise<string> => {
    const state = await world.store.describe(world.ref)
    const { id } = changeOf(state, state.current ?? assert.fail())
    return JSON.stringify({ type: 'keyturn.receipt', id, phase: 'drained', ref: 'memory:db', consumer: 'billing', ...more })
  }
  const seen = async () => (await world.store.describe(world.ref)).journal?.seen?.billing

  it('outlives a caller that goes away in the middle of its request', async () => {
    const { port } = server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc')
    socket.resetAndDestroy()
    await once(socket, 'close')
    assert.equal(await post('{}'), 400)
  })

  it('notes nothing that is not signed by the very consumer, in time, for the current publication', async () => {
    const good = await receiptOf()
    const wrongKey = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
    assert.equal(await post(good), 401)
    assert.equal(await post(good, signed(good, world.env.time, wrongKey)), 401)
    assert.equal(await post(good, signed(good, world.env.time - 400_000)), 401)
    assert.equal(await post(good.replace('drained', 'verified'), signed(good)), 401)
    const stale = await receiptOf({ id: 'of-an-older-publication' })
    assert.equal(await post(stale, signed(stale)), 409)
    const foreign = await receiptOf({ consumer: 'other' })
    assert.equal(await post(foreign, signed(foreign)), 422)
    const person = await receiptOf({ consumer: 'person' })
    assert.equal(await post(person, signed(person)), 401, 'its kind never calls back')
    const unknown = await receiptOf({ consumer: 'nobody' })
    assert.equal(await post(unknown, signed(unknown)), 401)
    for (const odd of ['', '{', '[]', 'null', '{"type":"keyturn.receipt"}', '\u0000']) assert.equal(await post(odd, signed(odd)), 400)
    assert.equal(await post('x'.repeat(20_000)), 413)
    assert.equal(await post('', {}, 'GET'), 405)
    assert.notEqual((await seen())?.phase, 'drained')
  })

  it('a signed callback is the evidence that arms the outgoing credential; noted twice it says the same', async () => {
    await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    world.env.time += 10 * laterMs
    const waiting = await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))
    assert.equal(waiting.entries[0]?.state, 'waiting')
    const good = await receiptOf()
    assert.deepEqual(await Promise.all([1, 2, 3].map(() => post(good, signed(good)))), [202, 202, 202])
    assert.deepEqual([(await seen())?.phase, (await seen())?.received], ['drained', true])
    const told = hook.got.length
    const done = await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))
    assert.equal(done.entries[0]?.state, 'retired')
    assert.equal(hook.got.length, told, 'who has said it is not told again')
  })
})

describe('receipts by Ed25519, and sent once more', () => {
  const pair = generateKeyPairSync('ed25519')
  const [priv, pub] = [
    `whsk_${pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(16).toString('base64')}`,
    `whpk_${pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(12).toString('base64')}`,
  ]
  let world: World
  let hook: WebhookServer
  const server = createReceiver(async () => world.deps('receiver'))
  before(async () => {
    hook = await WebhookServer.open()
    world = await openWorld('receive-ed25519', hook.port)
    world.configuration = { ...noConfiguration, consumers: { billing: consumer(hook.port, { receiptKeys: [pub] }) } }
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => {
    server.close()
    server.closeAllConnections()
    hook.close()
  })
  const post = async (phase: string, at: number, with_ = priv): Promise<number> => {
    const state = await world.store.describe(world.ref)
    const { id } = changeOf(state, state.current ?? assert.fail())
    const body = JSON.stringify({ type: 'keyturn.receipt', id, phase, ref: 'memory:db', consumer: 'billing' })
    const headers = { ...signMessage([new SecretText(with_)], 'message', at, body) }
    const { port } = server.address() as AddressInfo
    return (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body })).status
  }
  const phase = async () => (await world.store.describe(world.ref)).journal?.seen?.billing?.phase

  it('a callback that the receiver signed with its own key is noted; one by another key is not', async () => {
    const other = `whsk_${Buffer.alloc(32, 5).toString('base64')}`
    assert.equal(await post('drained', world.env.time, other), 401)
    assert.equal(await post('verified', world.env.time), 202)
    assert.equal(await phase(), 'verified')
  })

  it('an older message that is sent once more takes nothing back', async () => {
    const at = world.env.time
    assert.equal(await post('drained', at), 202)
    assert.equal(await post('failed', at + 60_000), 202)
    world.env.time += 120_000
    assert.equal(await post('drained', at), 202)
    assert.equal(await phase(), 'failed')
  })
})

describe('a receiver that cannot be reached', () => {
  it('is tried again after a pause that grows, and not by each sweep', async () => {
    const hook = await WebhookServer.open()
    let connections = 0
    try {
      const world = await openWorld('unreachable', hook.port)
      hook.answer = (_, response) => {
        connections++
        response.destroy()
      }
      for (let pass = 0; pass < 12; pass++) {
        await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
        world.env.time += 10_000
      }
      assert.ok(connections >= 1 && connections <= 3, `${connections} deliveries in two minutes`)
    } finally {
      hook.close()
    }
  })
})

describe('the example receiver of docs/webhooks.md', () => {
  it('follows, and its signed answer drains it', async () => {
    const child = spawn(process.execPath, ['docs/examples/receiver.mjs', '0'], {
      env: { ...process.env, KEY: key },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      let said = ''
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString('utf8')
      })
      while (!/listening on \d+/.test(said)) await once(child.stdout, 'data')
      const world = await openWorld('example', Number(/listening on (\d+)/.exec(said)?.[1]))
      const { outcome, told } = await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
      assert.deepEqual([outcome, told[0]?.seen.phase, told[0]?.evidence], ['announced', 'drained', 'signed answer drained'])
      while (!/memory:db is now .+ \(rotation\)/.test(said)) await once(child.stdout, 'data') // it is written before the answer, and read after it
    } finally {
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  })
})
