import { parseArgs } from 'node:util'
import { azuriteSkip } from '../test/harness/azurite.js'
import { leaksIn } from '../test/harness/cli-canary.js'
import { Lab } from '../test/harness/kube/lab.js'
import type { PostgresServer } from '../test/harness/postgres-server.js'
import { adminPassword, arrangeRoles } from '../test/harness/postgres-world.js'
import { key, WebhookServer } from '../test/harness/webhook-server.js'
import { type Closing, runToEnd } from './closing.js'
import { World } from './e2e-azure/world.js'
import { Application } from './e2e-cloud/application.js'
import { Cluster } from './e2e-cloud/cluster.js'
import { Outgoing } from './e2e-cloud/outgoing.js'
import { Readers } from './e2e-cloud/readers.js'
import { Tokens } from './e2e-cloud/tokens.js'
import { hourMs, minuteMs, secretIds, secretsIn } from './e2e-cloud/world.js'
import { isEnough, which, whyFake } from './e2e-cluster/which.js'

/**
 * `npm run e2e:azure -- --json` plays a day and a night of a subscription: the packaged functions run under the real library of Azure Functions and a stand-in of its
 * host, queues and blobs are Microsoft's own emulator, PostgreSQL is real, and the vault is a double that tells of its own events. A database login goes from
 * near expiry to the end of the old login, an API key and a signing key are rotated beside it, and somebody writes past us once. Before that, in real time, the
 * pods of a cluster follow another login; the API server is a real one if there is one. Exit 1 if a promise was broken.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, hours: { type: 'string', default: '32' } } })
const tell = (text: string): void => void (values.json || console.log(text))
const [stepMs, idleMs, busyMs] = [5 * minuteMs, 30 * minuteMs, 3 * hourMs]
/** How long a pod goes on after it was told to end. */
const podEndMs = 1000

async function play(closing: Closing) {
  const server = await closing.openPostgres()
  await arrangeRoles(server)
  const lab = await closing.open(() => Lab.open(which))
  const room = await closing.openLoops(() => lab.room(podEndMs, 'pods'))
  const cluster = await closing.openLoops(() => Cluster.open(room, server, 'azure'))
  const hook = await closing.open(() => WebhookServer.open())
  const program = new URL('../cli/main.js', import.meta.url)
  const { assertGoing } = closing
  const world = await closing.open(() => World.open({ server, webhookPort: hook.port, pods: cluster, program, assertGoing }))
  return days(world, server, hook, cluster)
}

async function days(world: World, server: PostgresServer, hook: WebhookServer, cluster: Cluster) {
  const application = new Application(world, server, hook)
  const readers = new Readers(world, server)
  const tokens = new Tokens(world)
  const { vault } = world.fleet.project
  const tellEvent = vault.onEvent
  vault.onEvent = (event) => {
    tellEvent(event)
    readers.look()
  }
  application.start()
  readers.start()
  const [db, pods] = [new Outgoing(world, server, 'db', 'app_a'), new Outgoing(world, server, 'pods', 'pods_a')]
  const { secondsToDrain, pokeToSyncedMs, leftAt } = await cluster.follow(world)
  tell(`${cluster.applications.size} pods, the old ones gone after ${secondsToDrain} s`)
  const endAt = world.now() + Number(values.hours) * hourMs
  while (world.now() < endAt) {
    await world.pass(world.now() < newestOf(world) + busyMs ? stepMs : idleMs)
    await tokens.look()
    for (const one of [db, pods]) await one.look()
  }
  const foreignWritesDetected = await writePast(world)
  await Promise.all([application.end(), cluster.close()])
  await readers.end()
  const statuses = await Promise.all(secretIds.map(async (id) => (await world.ask({ action: 'status', ref: `azure:${id}` })).body))
  for (const { ref, version, next, retiring } of statuses)
    tell(`${ref}: version ${version}, ${next}, ${(retiring as unknown[]).length} retiring`)
  const counts = Object.entries(apiCalls(world, hook)).sort(([a], [b]) => (a < b ? -1 : 1))
  const notices = world.fleet.delivered.filter(({ eventType, subject }) => eventType.endsWith('NearExpiry') && subject === 'db').length
  const leaks = await leaksOf(world, hook, readers, cluster)
  for (const leak of leaks) tell(leak)
  const users = [application, ...cluster.applications.values()]
  return {
    published: Object.fromEntries([...readers.seen].map(([id, texts]) => [id, texts.size - 1])),
    noticesOfNearExpiry: notices,
    untestedVisible: readers.untestedVisible,
    reads: readers.reads,
    failedReads: readers.failed,
    foreignWritesDetected,
    logins: users.reduce((sum, { logins }) => sum + logins, 0),
    loginFailures: users.reduce((sum, { failures }) => sum + failures, 0),
    retiredAfterDrain: db.endedAfter(application.left.get(db.username)) && pods.endedAfter(leftAt),
    unsettled: statuses.filter(({ code, announced }) => code !== null || announced !== true).length,
    events: Object.fromEntries([...application.events].map(([id, ids]) => [id, new Set(ids).size])),
    poisoned: await world.fleet.project.waiting('keyturn-work-poison'),
    tokensIssued: tokens.issued,
    tokensRefused: tokens.refused,
    foreignRefused: tokens.foreignRefused() ?? null,
    signingKeys: tokens.kids.size,
    leaks: leaks.length,
    secondsToDrain,
    pokeToSyncedMs,
    pods: cluster.applications.size,
    server: which,
    apiCalls: Object.fromEntries(counts),
  }
}

/** Somebody writes to a secret between our last look and our own write. Resolves to how many of these were detected: one, and it is told. */
async function writePast(world: World): Promise<number> {
  const { vault } = world.fleet.project
  let isWritten = false
  vault.fault = ({ name, secret }) => {
    if (name !== 'SetSecret' || secret !== 'contested' || isWritten) return undefined
    isWritten = true
    vault.writeForeign('contested', 'a-value-of-somebody-else-0123456789')
    return undefined
  }
  const { body } = await world.ask({ action: 'rotate', ref: 'azure:contested' })
  vault.fault = () => undefined
  return isWritten && body.code === 'foreign_write' ? 1 : 0
}

/** When something was published last, of all secrets. */
const newestOf = ({ fleet }: World): number =>
  1000 * Math.max(...secretIds.map((id) => fleet.project.vault.versions(id).at(-1)?.created ?? 0))

/** What was called, by kind. */
function apiCalls({ fleet, answers }: World, { got }: WebhookServer): Record<string, number> {
  const counts: Record<string, number> = { 'event grid': fleet.delivered.length, invoke: answers.length, webhook: got.length }
  for (const { name } of fleet.project.vault.calls) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

/** How a token that a real API server issues begins. */
const tokenHead = Buffer.from('{"alg":"RS256","kid":').toString('base64url')
/** Every value that was ever visible, the keys of the administrator and the webhook, and tokens for the cluster, in everything that left a function. */
async function leaksOf(world: World, { got }: WebhookServer, readers: Readers, cluster: Cluster): Promise<readonly string[]> {
  const { blobs } = world.fleet.project
  const secrets: Record<string, string> = {
    administrator: adminPassword,
    'webhook key': key,
    'access token': cluster.accessToken,
    'a token of the cluster': tokenHead,
  }
  for (const [id, texts] of readers.seen)
    for (const [index, text] of [...texts].entries())
      for (const [field, secret] of secretsIn(text)) secrets[`${id} ${index} ${field}`] = secret
  const journals: string[] = []
  const container = blobs.client().getContainerClient('keyturn')
  for await (const { name } of container.listBlobsFlat()) journals.push((await container.getBlobClient(name).downloadToBuffer()).toString())
  const places = {
    ...world.logs,
    answers: world.answers.join('\n'),
    webhooks: got.map(({ headers, body }) => JSON.stringify(headers) + body).join('\n'),
    events: JSON.stringify(world.fleet.delivered),
    cluster: await cluster.written(),
    journals: journals.join('\n'),
    tags: JSON.stringify([...secretIds].map((id) => world.fleet.project.vault.versions(id).map(({ tags }) => tags))),
    'the command line': world.keyturn.said,
  }
  return leaksIn(places, secrets)
}

if (azuriteSkip) throw new Error(azuriteSkip)
await runToEnd(async (closing) => {
  const result = await play(closing)
  const { published, untestedVisible, failedReads, loginFailures, retiredAfterDrain, unsettled, foreignWritesDetected } = result
  const isKept =
    isEnough &&
    result.pods === 4 &&
    [published.db, published['api-key'], published.pods].every((count) => count === 1) &&
    (published.signing ?? 0) >= 1 &&
    result.noticesOfNearExpiry > 0 &&
    foreignWritesDetected === 1 &&
    [untestedVisible, failedReads, loginFailures, unsettled, result.tokensRefused, result.leaks, result.poisoned].every(
      (count) => count === 0,
    ) &&
    (result.foreignRefused ?? 0) === 0 &&
    retiredAfterDrain
  console.log(values.json ? JSON.stringify(result) : result)
  if (whyFake) tell(`The API server is a stand-in: ${whyFake}`)
  process.exitCode = isKept ? 0 : 1
})
