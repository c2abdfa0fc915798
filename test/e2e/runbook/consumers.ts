import assert from 'node:assert/strict'
import { Lab, type Room, rotatorToken } from '../../harness/kube/lab.js'
import { until } from '../../harness/kube/server.js'
import type { Walk, Way } from '../../harness/runbook-walk.js'
import { key } from '../../harness/webhook-server.js'

const hourMs = 3_600_000

/** A pair whose first rotation has to be told to a webhook, which answers with that status. */
async function told(walk: Walk, status: number): Promise<void> {
  const { port } = walk.webhook
  walk.webhook.answer = (_, response) => void response.writeHead(204).end()
  const web = {
    kind: 'webhook',
    required: true,
    url: `http://127.0.0.1:${port}/hook`,
    plaintext: true,
    allow: ['127.0.0.0/8'],
    keys: [key],
  }
  await walk.configured({ consumers: { web } })
  await walk.adopted('b', 'grace=1h', 'consumers=web')
  walk.webhook.answer = (_, response) => void response.writeHead(status).end()
  await walk.run('rotate')
  walk.later(2 * hourMs)
}

/** A person says when the night job has the new value. */
async function night(walk: Walk): Promise<void> {
  await walk.configured({ consumers: { night: { kind: 'manual', required: true } } })
  await walk.adopted('b', 'grace=1h', 'consumers=night')
  await walk.run('rotate')
  walk.later(2 * hourMs)
}

const isSeen = async (walk: Walk): Promise<boolean> =>
  ((await walk.run('status')).consumers as readonly { readonly phase: string }[]).every(({ phase }) => phase === 'drained')

/** A consumer in a cluster, whose pods read the mounted file, and which was never told of a publication. */
async function inCluster(walk: Walk, lab: Lab, room: Room): Promise<void> {
  await room.makeStore(true)
  room.value = walk.value()
  room.operator.refresh()
  const shop = { server: lab.api.server, ca: lab.ca, token: rotatorToken }
  const where = { cluster: 'shop', namespace: room.namespace, externalSecret: 'db', remoteKey: 'db' }
  const web = { kind: 'kubernetes', required: true, ...where, workloads: [], restart: 'none', soakSeconds: 0 }
  await walk.configured({ clusters: { shop }, consumers: { web } })
  await walk.adopted('a', 'consumers=web')
}
const sweptUntilSeen = (walk: Walk): Promise<void> => {
  let sweeps = 0
  return until('the consumer', async () => {
    walk.later((++sweeps * hourMs) / 60)
    await walk.sweep()
    const { consumers } = await walk.run('status')
    return (consumers as readonly { readonly phase: string; readonly code: string }[]).every(
      ({ phase, code }) => phase === 'drained' && code === null,
    )
  })
}

/** The states of those who read the secret. */
export const waysOfConsumers: Readonly<Record<string, Way>> = {
  'announcement due': async (walk) => {
    await told(walk, 503)
    assert.match((await walk.fails('held', 'rotate')).next, /keyturn retire file:/)
    walk.webhook.answer = (_, response) => void response.writeHead(204).end()
    await walk.out('retire')
    assert.equal((await walk.run('status')).announced, true)
    await walk.well()
  },
  'consumer could not follow': async (walk) => {
    const lab = await Lab.open('fake')
    const room = await lab.room()
    try {
      await inCluster(walk, lab, room)
      room.operator.fault = 'gone'
      room.operator.refresh()
      const conditions = async () => JSON.stringify((await lab.api.must('GET', `${room.externalSecrets()}/db`)).status)
      await until('what the operator says', async () => /retained/.test(await conditions()))
      room.operator.fault = undefined
      const { message, next } = await walk.fails('held', 'rotate')
      assert.match(message, /web.*kept the old Secret.*retained/)
      assert.match(`${message} ${next}`, /keyturn sweep/)
      await sweptUntilSeen(walk)
      await walk.out('rotate')
      await walk.well()
    } finally {
      await room.close()
      await lab.close()
    }
  },
  'consumer refuses': async (walk) => {
    await told(walk, 410)
    await walk.fails('held', 'rotate')
    assert.equal((await walk.run('status')).next !== null, true)
    walk.webhook.answer = (_, response) => void response.writeHead(204).end()
    walk.later(2 * hourMs)
    assert.ok((await walk.sweep()).some(({ action, code }) => action === 'announce' && code === null))
    const { next } = (await walk.run('status')) as { next: { why?: string } }
    assert.doesNotMatch(next.why ?? '', /refuses announcements/)
    await walk.well()
  },
  'consumer behind': async (walk) => {
    await night(walk)
    assert.equal(await isSeen(walk), false)
    await walk.out('seen', ['--consumer', 'night'])
    assert.equal(await isSeen(walk), true)
  },
  'retiring: waiting': async (walk) => {
    await night(walk)
    assert.equal((await walk.state()).journal?.retiring[0]?.state, 'waiting')
    await walk.out('seen', ['--consumer', 'night'])
    await walk.out('retire')
    assert.deepEqual((await walk.state()).journal?.retiring, [])
    await walk.well()
  },
  'held by full slots': async (walk) => {
    await night(walk)
    assert.match((await walk.fails('held', 'rotate')).message, /all 2 credentials are still in use.*night/)
    await walk.out('seen', ['--consumer', 'night'])
    await walk.out('retire')
    await walk.run('rotate')
    await walk.well()
  },
}
