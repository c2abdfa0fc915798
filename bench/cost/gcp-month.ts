import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import type { Given } from '../../functions/gcp/opened.js'
import { createHandler as createRotate } from '../../functions/gcp/rotate.js'
import { createHandler as createSweep } from '../../functions/gcp/sweep.js'
import { CloudTasks } from '../../functions/gcp/tasks.js'
import { createHandler as createWork } from '../../functions/gcp/work.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { GcpSecretManager } from '../../shared/stores/gcp-secret-manager.js'
import { CloudTasksDouble } from '../../test/harness/cloud-tasks.js'
import { eventHeaders, messageOf, type Seen, ServedFunction } from '../../test/harness/gcp-functions.js'
import { GoogleMachine } from '../../test/harness/gcp-machine.js'
import { GcpSecretManagerDouble } from '../../test/harness/gcp-secret-manager.js'
import { key, WebhookServer } from '../../test/harness/webhook-server.js'
import { World } from '../../test/harness/world.js'
import { add } from './counts.js'
import type { CloudCalls, Lived } from './lived.js'

export const gcpCalls: CloudCalls = {
  look: { 'invocations of sweep': 1, ListSecrets: 1, AccessSecretVersion: 1 },
  work: 'tasks',
  pages: { ListSecrets: { size: 2500, hasPlaces: true } },
  versions: 'active versions after a year',
}
const hourMs = 3_600_000
/** Between two looks of a month that is measured: what a look costs where nothing is due is multiplied, not measured a hundred times. */
const lookMs = hourMs
const queue = {
  queue: 'projects/p/locations/europe-west1/queues/work',
  url: 'https://keyturn-work-123456789012.europe-west1.run.app',
  account: 'keyturn-tasks@p.iam.gserviceaccount.com',
}
const topic = 'projects/p/topics/notices'
type Name = 'sweep' | 'work' | 'rotate'

/** Lives `days` of a secret with this `keyturn-every` after its first announcement. */
export async function liveOnGoogleCloud(every: string, days: number): Promise<Lived> {
  const closing: (() => unknown)[] = []
  const machine = await GoogleMachine.open()
  closing.push(() => machine.close())
  try {
    return await within(every, days, closing)
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

async function within(every: string, days: number, closing: (() => unknown)[]): Promise<Lived> {
  const clock = { now: () => 0 }
  const double = await GcpSecretManagerDouble.open(() => clock.now())
  const tasks = await CloudTasksDouble.open(() => clock.now())
  const hook = await WebhookServer.open()
  const client = new SecretManagerServiceClient(double.clientOptions)
  closing.push(
    () => double.close(),
    () => tasks.close(),
    () => hook.close(),
    () => client.close(),
  )
  const world = await arranged(every, { double, client, clock, port: hook.port })
  const functions = await served(world, { client, tasks })
  closing.push(...Object.values(functions).map((one) => () => one.close()))

  const { env } = world
  const counts: Record<string, number> = {}
  const call = async (name: Name, body: unknown, headers?: Readonly<Record<string, string>>): Promise<void> => {
    add(counts, `invocations of ${name}`)
    const { status, text }: Seen = await functions[name].post(body, headers)
    if (status >= 300) throw new Error(`${name} answered ${status}: ${text}`)
  }
  let told = 0
  const tell = async (): Promise<void> => {
    for (const { attributes } of double.messages.slice(told)) {
      add(counts, 'messages of the topic')
      if (['SECRET_VERSION_ADD', 'SECRET_ROTATE'].includes(attributes.eventType ?? ''))
        await call('rotate', messageOf(attributes), eventHeaders('1'))
    }
    told = double.messages.length
  }
  const deliver = async (): Promise<void> => {
    for (const { name, body } of tasks.due) {
      tasks.tasks.delete(name)
      await call('work', body.toString('utf8'))
    }
  }
  const look = async (): Promise<void> => {
    await call('sweep', '')
    for (let turn = 0; turn < 3; turn++) {
      await deliver()
      await tell()
    }
  }
  for (let first = 0; first < 48; first++, env.time += lookMs) await look() // what adopt left to do, and the first daily look
  for (const kind of Object.keys(counts)) delete counts[kind]
  double.calls.length = 0
  tasks.calls.length = 0
  hook.got.length = 0
  const looks = (days * 24 * hourMs) / lookMs
  for (let n = 0; n < looks; n++, env.time += lookMs) await look()
  for (const { name } of double.calls) add(counts, name)
  add(counts, 'tasks', tasks.calls.length)
  add(counts, 'webhooks', hook.got.length)
  return { counts, looks, versions: activeIn(double) }
}

interface Parts {
  readonly double: GcpSecretManagerDouble
  readonly client: SecretManagerServiceClient
  readonly clock: { now: () => number }
  readonly port: number
}
async function arranged(every: string, { double, client, clock, port }: Parts): Promise<World> {
  const web = { kind: 'webhook', required: false, url: `http://127.0.0.1:${port}/`, keys: [key], allow: ['127.0.0.0/8'], plaintext: true }
  const world = await World.open(
    'b',
    async (env) => {
      clock.now = env.now
      return new GcpSecretManagerAdmin({ env, project: 'p', open: () => client })
    },
    'cost',
  )
  make(double, 'config', JSON.stringify({ consumers: { web } }))
  const policy = { 'keyturn-every': every, 'keyturn-grace': '2d', 'keyturn-consumers': 'web' }
  await world.store.setPolicy(world.ref, policy)
  double.do('UpdateSecret', { secret: { name: world.ref.key, topics: [{ name: topic }] }, updateMask: { paths: ['topics'] } })
  return world
}
function make(double: GcpSecretManagerDouble, secretId: string, text: string): void {
  double.do('CreateSecret', { parent: 'projects/p', secretId, secret: { replication: { automatic: {} } } })
  double.do('AddSecretVersion', { parent: `projects/p/secrets/${secretId}`, payload: { data: Buffer.from(text) } })
}
function activeIn({ secrets }: GcpSecretManagerDouble): number {
  const ours = [...secrets].filter(([name]) => !name.endsWith('/config'))
  return ours.reduce((sum, [, { versions }]) => sum + versions.filter(({ state }) => state !== 'DESTROYED').length, 0)
}

async function served({ env }: World, { client, tasks }: { client: SecretManagerServiceClient; tasks: CloudTasksDouble }) {
  const given: Given = {
    environment: { GOOGLE_CLOUD_PROJECT: 'p', KEYTURN_CONFIG: 'gcp:projects/p/secrets/config' },
    env: { now: env.now, sleep: env.sleep, random: env.random, log: () => {} },
    openStore: () => new GcpSecretManager({ env, project: 'p', open: () => client }),
    openQueue: () => new CloudTasks({ ...queue, env, endpoint: tasks.endpoint }),
    whyPublic: async () => undefined,
  }
  return {
    sweep: await ServedFunction.http(createSweep(given)),
    work: await ServedFunction.http(createWork(given)),
    rotate: await ServedFunction.events(createRotate(given)),
  }
}
