import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Keyturn } from '../harness/cli-process.js'
import { Lab, type Room, rotatorToken } from '../harness/kube/lab.js'
import { until } from '../harness/kube/server.js'
import { whyNoTerminal } from '../harness/programs.js'

const program = new URL('../../cli/main.js', import.meta.url)

describe('the command itself and a cluster', () => {
  let lab: Lab
  let room: Room
  let keyturn: Keyturn
  before(async () => {
    lab = await Lab.open('fake')
    room = await lab.room(3000)
    await room.makeStore(true)
    await room.makeWorkload('Deployment')
    keyturn = await Keyturn.open(program)
    keyturn.clock = undefined // the operator and the kubelet have the system's
    keyturn.env = { KEYTURN_SHORT_GRACE: '1', KEYTURN_CONFIG: 'file:config' }
    await keyturn.ok(['init'])
    const cluster = { server: lab.api.server, ca: lab.ca, token: rotatorToken }
    const consumer = {
      kind: 'kubernetes',
      cluster: 'shop',
      namespace: room.namespace,
      externalSecret: 'db',
      workloads: ['Deployment/web'],
      required: true,
    }
    await keyturn.ok(['put', 'file:config'], { stdin: JSON.stringify({ clusters: { shop: cluster }, consumers: { web: consumer } }) })
    await keyturn.ok(['put', 'file:db'], { stdin: room.value })
    await keyturn.ok(['adopt', 'file:db', '--rotator', 'random'])
    await keyturn.ok(['policy', 'file:db', 'field=password', 'form=hex', 'spelling=change', 'consumers=web'])
  })
  after(async () => {
    await keyturn?.close()
    await room?.close()
    await lab?.close()
    assert.ok(!keyturn.said.includes(rotatorToken) && !keyturn.said.includes(room.before))
  })
  const rotated = async (): Promise<void> => {
    await keyturn.ok(['rotate', 'file:db'])
    room.before = room.value
    room.value = await keyturn.value('db')
    room.operator.refresh()
  }

  it('sweep --follow goes on looking until the workload has arrived, and says each step', async () => {
    await keyturn.ok(['sweep', '--follow', '1m'])
    await rotated()
    const { stderr } = await keyturn.run(['sweep', '--follow', '1m'])
    assert.match(stderr, /file:db {2}web restarted: .*old pod/)
    assert.match(stderr, /file:db {2}web drained: no old pod is left/)
    const { stdout } = await keyturn.run(['status', 'file:db'])
    assert.match(stdout, /web \(cluster shop, required\): drained/)
    const { consumers } = (await keyturn.ok(['status', 'file:db'])) as { consumers: { consumer: string; place: string }[] }
    assert.deepEqual([consumers[0]?.consumer, consumers[0]?.place], ['web', 'cluster shop'])
  })

  it('in a terminal that is the default', { skip: whyNoTerminal() }, async () => {
    await rotated()
    const { stdout } = await keyturn.terminal(['sweep'])
    assert.match(stdout, /web restarted: .*\r?\n[\s\S]*web drained: /)
  })

  it('what the operator says is in status, sweep and retire, in words and in JSON', async () => {
    type Consumers = { readonly consumers: readonly { readonly phase: string; readonly evidence: string | null }[] }
    const says = /operator could not sync it \(SecretSyncedError: could not get secret data from provider\)/
    room.operator.fault = 'fail'
    await rotated()
    await until('the reason, in what a sweep answers', async () => {
      const { actions } = (await keyturn.ok(['sweep'])) as {
        actions: readonly (Partial<Consumers> & { action: string; outcome: string })[]
      }
      return actions.some(({ outcome, consumers = [] }) => says.test(outcome) && says.test(consumers[0]?.evidence ?? ''))
    })
    const { consumers } = (await keyturn.ok(['status', 'file:db'])) as unknown as Consumers
    assert.equal(consumers[0]?.phase, 'requested')
    assert.match(consumers[0]?.evidence ?? '', says)
    assert.match((await keyturn.run(['status', 'file:db'])).stdout, says)
    assert.match((await keyturn.run(['retire', 'file:db'])).stdout, says)
    assert.match(JSON.stringify(await keyturn.ok(['retire', 'file:db'])), says)
    room.operator.fault = undefined
    await keyturn.ok(['sweep', '--follow', '1m'])
    assert.match((await keyturn.run(['status', 'file:db'])).stdout, /drained on current, .* ago: no old pod is left of Deployment\/web/)
  })

  it('a consumer that is certainly misconfigured holds a rotation before a key is made, until it is fixed', async () => {
    const path = `${room.externalSecrets()}/db`
    await lab.api.patch(path, { spec: { refreshPolicy: 'CreatedOnce' } })
    const { message } = await keyturn.fails(['rotate', 'file:db'], 'bad_config')
    assert.match(message, /misconfigured: web \(cluster shop\): The ExternalSecret db is created once and never again/)
    assert.match(
      (await keyturn.run(['status', 'file:db'])).stdout,
      /web \(cluster shop, required\): .*\(bad_config\): The ExternalSecret db is/,
    )
    assert.equal(await keyturn.value('db'), room.value)
    const { stdout, stderr } = await keyturn.run(['doctor'])
    assert.match(stdout + stderr, /created once and never again/)
    await lab.api.patch(path, { spec: { refreshPolicy: null } })
    await until('the operator', async () => (await keyturn.json(['rotate', 'file:db'])).code === 0)
  })

  interface Told {
    readonly consumer: string
    readonly code: string | null
  }
  const says = (text: RegExp) =>
    until(String(text), async () => text.test(JSON.stringify((await lab.api.must('GET', `${room.externalSecrets()}/db`)).status)))

  it('one that only waits is a warning of doctor, holds a rotation with its reason once, and every command names the secret', async () => {
    await keyturn.ok(['sweep', '--follow', '1m'])
    room.operator.fault = 'fail'
    room.operator.refresh()
    await says(/could not get secret data/)
    const { code, body } = await keyturn.json(['doctor'])
    assert.equal(code, 0, JSON.stringify(body))
    const [found] = (body.findings as readonly { what: string; level: string; code: string | null }[]).filter(
      ({ what }) => what === 'consumer web',
    )
    assert.deepEqual([found?.level, found?.code], ['warning', 'held'])
    assert.match((await keyturn.run(['doctor'])).stderr, /^! consumer web: The ExternalSecret db was not synced/m)
    const { message, next } = await keyturn.fails(['rotate', 'file:db'], 'held')
    assert.match(message, /could not follow now: web .*could not get secret data from provider/)
    assert.match(next, /keyturn rotate file:db/)
    const { stdout } = await keyturn.run(['status', 'file:db'])
    assert.match(stdout, /keyturn rotate file:db: it asks the consumer again/)
    for (const text of [next, stdout]) assert.doesNotMatch(text, /doctor|<ref>/)
    room.operator.fault = undefined
    await until('the operator', async () => (await keyturn.json(['rotate', 'file:db'])).code === 0)
    room.before = room.value
    room.value = await keyturn.value('db')
    room.operator.refresh()
    await keyturn.ok(['sweep', '--follow', '1m'])
  })

  it('one that a person has to correct fails the sweep, and sweep, retire and status have its code', async () => {
    room.operator.fault = 'skip'
    await rotated()
    const secret = `/api/v1/namespaces/${room.namespace}/secrets/db`
    await lab.api.patch(secret, { immutable: true })
    room.operator.fault = undefined
    await says(/target is immutable/)
    type Actions = {
      readonly actions: readonly { readonly action: string; readonly code: string | null; readonly consumers?: readonly Told[] }[]
    }
    let swept = await keyturn.json(['sweep'])
    await until('the code', async () => {
      swept = await keyturn.json(['sweep'])

      return swept.code === 2
    })
    assert.equal(swept.error?.code, 'bad_config')
    const { actions } = swept.body as unknown as Actions
    const [announced] = actions.filter(({ action }) => action === 'announce')
    assert.deepEqual([announced?.code, announced?.consumers?.[0]?.code], ['bad_config', 'bad_config'])
    for (const command of ['retire', 'status']) {
      const { consumers } = (await keyturn.ok([command, 'file:db'])) as unknown as { readonly consumers: readonly Told[] }
      assert.equal(consumers[0]?.code, 'bad_config', command)
    }
    assert.match((await keyturn.run(['retire', 'file:db'])).stdout, /^web {2}requested \(bad_config\): /m)
    await lab.api.must('DELETE', secret)
    room.operator.refresh()
    await keyturn.run(['sweep', '--follow', '1m'])
    const { consumers } = (await keyturn.ok(['retire', 'file:db'])) as unknown as { readonly consumers: readonly Told[] }
    assert.equal(consumers[0]?.code, null)
  })

  it('a refusal of any command names the secret in what helps', async () => {
    const { next } = await keyturn.fails(['policy', 'file:db', 'keyturn-targets=web'], 'bad_policy', 'keyturn-targets')
    assert.doesNotMatch(next, /<ref>/)
  })
})
