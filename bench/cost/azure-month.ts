import azureFunctions from '@azure/functions'
import type { Given } from '../../functions/azure/opened.js'
import { createHandler as createPropagate } from '../../functions/azure/propagate.js'
import { createHandler as createRotate } from '../../functions/azure/rotate.js'
import { createHandler as createSweep } from '../../functions/azure/sweep.js'
import { createHandler as createWork } from '../../functions/azure/work.js'
import type { Work } from '../../shared/core/ports/queue.js'
import { AzureServices, openAzure } from '../../test/harness/azure.js'
import { MemoryQueue } from '../../test/harness/memory-queue.js'
import { key, WebhookServer } from '../../test/harness/webhook-server.js'
import { World } from '../../test/harness/world.js'
import { add } from './counts.js'
import type { CloudCalls, Lived } from './lived.js'

export const azureCalls: CloudCalls = {
  look: { 'invocations of sweep': 1, GetSecrets: 1, 'blob list': 1, GetSecret: 1 },
  work: 'messages of the queue',
  pages: { GetSecrets: { size: 25, hasPlaces: false }, 'blob list': { size: 5000, hasPlaces: false } },
  versions: 'versions after a year',
}
const hourMs = 3_600_000
const lookMs = hourMs
const { InvocationContext } = azureFunctions

/** Lives `days` of a secret with this `keyturn-every` after its first announcement, with its staging place in a second vault. */
export async function liveOnAzure(every: string, days: number): Promise<Lived> {
  const services = new AzureServices()
  const hook = await WebhookServer.open()
  try {
    return await within(every, days, services, hook)
  } finally {
    await services.stop()
    await hook.close()
  }
}

async function within(every: string, days: number, services: AzureServices, hook: WebhookServer): Promise<Lived> {
  const world = await arranged(every, services, hook.port)
  const { env, double, blobs } = world
  const queue = new MemoryQueue()
  const counts: Record<string, number> = {}
  const functions = served(world, queue)
  const call = async (name: keyof typeof functions, body: unknown): Promise<void> => {
    add(counts, `invocations of ${name}`)
    await functions[name](body)
  }
  let told = 0
  const tell = async (): Promise<void> => {
    double.tick()
    for (const event of double.events.slice(told)) {
      if (event.data.VaultName !== 'app') continue // nobody listens to the vault of the staging places
      add(counts, 'events')
      await call(event.eventType.endsWith('NewVersionCreated') ? 'propagate' : 'rotate', event)
    }
    told = double.events.length
  }
  const deliver = async (): Promise<void> => {
    for (const work of queue.take(env.time)) await call('work', work satisfies Work)
  }
  const look = async (): Promise<void> => {
    await call('sweep', {})
    for (let turn = 0; turn < 3; turn++) {
      await deliver()
      await tell()
    }
  }
  let sent = 0
  const send = queue.send.bind(queue)
  queue.send = async (work, notBefore) => {
    sent++
    await send(work, notBefore)
  }
  for (let first = 0; first < 48; first++, env.time += lookMs) await look() // what adopt left to do, and the first daily look
  for (const kind of Object.keys(counts)) delete counts[kind]
  double.calls.length = 0
  blobs.calls.length = 0
  hook.got.length = 0
  sent = 0
  const looks = (days * 24 * hourMs) / lookMs
  for (let n = 0; n < looks; n++, env.time += lookMs) await look()
  for (const { name } of double.calls) add(counts, name)
  for (const { operation } of blobs.calls) add(counts, `blob ${operation}`)
  add(counts, azureCalls.work, sent)
  add(counts, 'webhooks', hook.got.length)
  return { counts, looks, versions: double.versions('db').length + double.versions('db-pending', 'staging').length }
}

async function arranged(every: string, shared: AzureServices, port: number) {
  const web = { kind: 'webhook', required: false, url: `http://127.0.0.1:${port}/`, keys: [key], allow: ['127.0.0.0/8'], plaintext: true }
  let opened: Awaited<ReturnType<AzureServices['open']>> | undefined
  const world = await World.open(
    'b',
    async (env) => {
      opened = await shared.open(env)
      return openAzure(opened, env, { container: opened.container, stagingHost: 'staging.vault.azure.net' })
    },
    'cost',
  )
  if (opened === undefined) throw new Error('no services')
  opened.double.writeForeign('config', JSON.stringify({ consumers: { web } }))
  await world.store.setPolicy(world.ref, { 'keyturn-every': every, 'keyturn-grace': '2d', 'keyturn-consumers': 'web' })
  return { ...opened, env: world.env }
}

function served({ env, ...services }: Awaited<ReturnType<typeof arranged>>, queue: MemoryQueue) {
  const given: Given = {
    environment: { KEYTURN_AZURE_VAULTS: 'app', KEYTURN_CONFIG: 'azure:app/config' },
    env: { now: env.now, sleep: env.sleep, random: env.random, log: () => {} },
    openStore: () => openAzure(services, env, { container: services.container, stagingHost: 'staging.vault.azure.net' }),
    openQueue: () => queue,
    letters: { put: async () => {} },
  }
  const context = (functionName: string) => new InvocationContext({ functionName, logHandler: () => {} })
  const [sweep, work, rotate, propagate] = [createSweep(given), createWork(given), createRotate(given), createPropagate(given)]
  return {
    sweep: async (_body: unknown) =>
      void (await sweep(
        { isPastDue: false, schedule: { adjustForDST: true }, scheduleStatus: { last: '', next: '', lastUpdated: '' } },
        context('sweep'),
      )),
    work: async (body: unknown) => void (await work(body, context('work'))),
    rotate: async (body: unknown) => void (await rotate(body, context('rotate'))),
    propagate: async (body: unknown) => void (await propagate(body, context('propagate'))),
  }
}
