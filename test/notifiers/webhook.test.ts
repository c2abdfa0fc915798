import assert from 'node:assert/strict'
import { generateKeyPairSync, verify } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { SecretText } from '../../shared/core/secret-text.js'
import { signMessage, whyNotSigned } from '../../shared/core/signature.js'
import { isAllowed } from '../../shared/notifiers/webhook/address.js'
import { create } from '../../shared/notifiers/webhook.js'
import { type Answer, change, consumer, context, env, key, WebhookServer } from '../harness/webhook-server.js'

const webhook = create()
const otherKey = `whsec_${Buffer.from('another key of thirty-two bytes!').toString('base64')}`
const receipt =
  (body: object, keys = [key], id = change.id): Answer =>
  (_, response) => {
    const text = JSON.stringify(body)
    response
      .writeHead(200, {
        ...signMessage(
          keys.map((one) => new SecretText(one)),
          id,
          env.now(),
          text,
        ),
      })
      .end(text)
  }
const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    void response.writeHead(code, headers).end()
const drained = { type: 'keyturn.receipt', id: change.id, phase: 'drained' }

describe('webhook', () => {
  let server: WebhookServer
  before(async () => {
    server = await WebhookServer.open()
  })
  after(() => server.close())
  const tell = async (answer: Answer, more: object = {}) => {
    server.answer = answer
    return webhook.advance(change, consumer(server.port, more), context())
  }

  it('sends a CloudEvent in structured mode that a Standard Webhooks library verifies', async () => {
    assert.deepEqual(await tell(status(204)), { phase: 'requested', evidence: 'HTTP 204' })
    const { headers, body } = server.got.at(-1) ?? assert.fail()
    assert.match(headers['content-type'] ?? '', /^application\/cloudevents\+json/)
    new Webhook(key).verify(body, headers as Record<string, string>)
    assert.throws(() => new Webhook(otherKey).verify(body, headers as Record<string, string>))
    const event = JSON.parse(body) as Record<string, unknown> & { data: object }
    assert.deepEqual([event.specversion, event.id, event.type, event.subject], ['1.0', change.id, 'keyturn.secret.published', 'memory:db'])
    assert.deepEqual(Object.keys(event.data).sort(), ['cause', 'consumer', 'previous', 'ref', 'sequence', 'version'])
  })

  it('signs with both keys while one follows the other', async () => {
    await tell(status(204), { keys: [key, otherKey] })
    const { headers, body } = server.got.at(-1) ?? assert.fail()
    for (const one of [key, otherKey]) new Webhook(one).verify(body, headers as Record<string, string>)
  })

  it('signs with Ed25519, as node verifies it', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
    await tell(status(204), { keys: [`whsk_${seed.toString('base64')}`] })
    const { headers, body } = server.got.at(-1) ?? assert.fail()
    const [, signature = ''] = String(headers['webhook-signature']).split('v1a,')
    const content = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
    assert.ok(verify(null, content, publicKey, Buffer.from(signature, 'base64')))
  })

  it('believes a signed receipt, and takes everything else with 2xx for an arrival', async () => {
    assert.equal((await tell(receipt(drained))).phase, 'drained')
    assert.equal((await tell(receipt(drained, [otherKey]))).phase, 'requested')
    assert.equal((await tell(receipt({ ...drained, id: 'another change' }))).phase, 'requested')
    assert.equal((await tell((_, response) => void response.writeHead(200).end(JSON.stringify(drained)))).phase, 'requested')
    const reflected: Answer = ({ headers, body }, response) =>
      void response
        .writeHead(200, {
          'webhook-id': String(headers['webhook-id']),
          'webhook-timestamp': String(headers['webhook-timestamp']),
          'webhook-signature': String(headers['webhook-signature']),
        })
        .end(body)
    assert.equal((await tell(reflected)).phase, 'requested')
  })

  it('410 is final; 429 and 503 say when; the rest is asked again, the later the older', async () => {
    assert.deepEqual((await tell(status(410))).code, 'delivery_refused')
    assert.equal((await tell(status(429, { 'retry-after': '120' }))).again, env.now() + 120_000)
    assert.equal((await tell(status(503, { 'retry-after': new Date(env.now() + 600_000).toUTCString() }))).phase, 'failed')
    for (const odd of ['-5', 'soon', '999999999'])
      assert.ok(((await tell(status(503, { 'retry-after': odd }))).again ?? 0) <= env.now() + 3_600_000)
    for (const code of [301, 302, 307, 400, 401, 404, 500]) {
      const before_ = server.got.length
      const state = await tell(status(code, { location: `http://127.0.0.1:${server.port}/elsewhere` }))
      assert.deepEqual([state.phase, state.code, server.got.length], ['failed', 'delivery_failed', before_ + 1])
      assert.equal(state.again, env.now() + 60_000)
    }
  })

  it('gives up on a silent or endless answer', async () => {
    await assert.rejects(
      tell(() => undefined, { timeoutMs: 150 }),
      { code: 'delivery_failed', message: /\(no whole answer within 0\.15 s\)/, next: /more time \(timeoutMs of this consumer\)/ },
    )
    await assert.rejects(
      tell((_, response) => void response.writeHead(200).end('x'.repeat(20_000))),
      { code: 'delivery_failed' },
    )
    const drip: Answer = (_, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), 20)
      response.on('close', () => clearInterval(timer))
    }
    await assert.rejects(tell(drip, { timeoutMs: 200 }), { code: 'delivery_failed', message: /\(no whole answer within 0\.2 s\)/ })
  })

  it('never calls inner addresses that are not listed, nor plaintext that nobody asked for', async () => {
    const before_ = server.got.length
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '0.0.0.0']) {
      const url = `http://${host}:${server.port}/`
      await assert.rejects(webhook.advance(change, consumer(0, { url, allow: [] }), context()), { code: 'bad_config', field: 'url' }, host)
    }
    await assert.rejects(tell(status(204), { plaintext: false }), { code: 'bad_config', field: 'url' })
    assert.equal(server.got.length, before_)
  })

  it('preflight says of a receiver that takes no connection how long it waited', async () => {
    const mute = createServer(() => undefined) // accepts, and never speaks TLS
    await once(mute.listen(0, '127.0.0.1'), 'listening')
    const { port } = mute.address() as AddressInfo
    const settings = { url: `https://127.0.0.1:${port}/`, plaintext: false, timeoutMs: 150 }
    const found = await webhook.preflight(consumer(port, settings), context())
    assert.deepEqual(found, { verdict: 'unknown', why: `127.0.0.1:${port} took no TLS connection within 0.15 s` })
    mute.close()
  })

  it('preflight looks at the route and sends nothing', async () => {
    const before_ = server.got.length
    assert.deepEqual(await webhook.preflight(consumer(server.port), context()), { verdict: 'ok' })
    assert.equal((await webhook.preflight(consumer(1), context())).verdict, 'unknown')
    assert.equal((await webhook.preflight(consumer(server.port, { allow: [] }), context())).verdict, 'refuse')
    assert.equal((await webhook.preflight(consumer(server.port, { plaintext: false }), context())).verdict, 'refuse')
    assert.equal(server.got.length, before_)
  })

  it('shows no key in any error', async () => {
    const shown: string[] = []
    for (const more of [{ url: 'http://127.0.0.1:1/' }, { keys: ['whsec_short'] }, { plaintext: false }])
      shown.push(
        inspect(await webhook.advance(change, consumer(server.port, more), context()).catch((cause: unknown) => cause), { depth: 9 }),
      )
    assert.ok(!shown.join().includes(key.slice(6, 20)))
  })
})

describe('which addresses an announcement may go to', () => {
  it('public ones; inner ones only when listed', () => {
    for (const address of ['93.184.216.34', '2606:2800:220:1::1', '172.32.0.1', '100.128.0.1']) assert.ok(isAllowed(address, []), address)
    const inner =
      '10.1.2.3 127.0.0.1 169.254.169.254 172.16.0.1 192.168.1.1 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 ::1 :: fe80::1 fd00::1 fc00::1 ff02::1'
    for (const address of [
      ...inner.split(' '),
      '::ffff:10.0.0.1',
      '::ffff:169.254.169.254',
      '::ffff:7f00:1',
      '64:ff9b::a9fe:a9fe',
      '2002:7f00:1::',
    ])
      assert.ok(!isAllowed(address, []), address)
    assert.ok(isAllowed('10.1.2.3', ['10.0.0.0/8']) && !isAllowed('10.1.2.3', ['10.2.0.0/16']))
    assert.ok(isAllowed('fd00::1', ['fd00::/8']) && isAllowed('::ffff:10.1.2.3', ['10.0.0.0/8']))
  })
})

describe('the replay window', () => {
  const keys = [new SecretText(key)]
  it('is five minutes both ways, and the signature covers id, time and body', () => {
    const at = env.now()
    const headers = { ...signMessage(keys, 'id', at, 'body') }
    for (const shift of [0, 299_000, -299_000]) assert.equal(whyNotSigned(keys, headers, 'body', at + shift), undefined)
    for (const shift of [302_000, -302_000]) assert.match(whyNotSigned(keys, headers, 'body', at + shift) ?? '', /five minutes/)
    assert.match(whyNotSigned(keys, headers, 'another', at) ?? '', /fits no key/)
    assert.match(whyNotSigned(keys, { ...headers, 'webhook-id': 'other' }, 'body', at) ?? '', /fits no key/)
    assert.match(whyNotSigned(keys, { ...headers, 'webhook-signature': 'v1,' }, 'body', at) ?? '', /fits no key/)
    assert.match(whyNotSigned(keys, {}, 'body', at) ?? '', /not signed/)
    assert.match(whyNotSigned([], headers, 'body', at) ?? '', /fits no key/)
  })
})
