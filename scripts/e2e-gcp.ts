import { parseArgs } from 'node:util'
import { leaksIn } from '../test/harness/cli-canary.js'
import { Lab } from '../test/harness/kube/lab.js'
import type { PostgresServer } from '../test/harness/postgres-server.js'
import { adminPassword, arrangeRoles } from '../test/harness/postgres-world.js'
import { whyNoPubSub } from '../test/harness/pubsub.js'
import { key, WebhookServer } from '../test/harness/webhook-server.js'
import { type Closing, runToEnd } from './closing.js'
import { Application } from './e2e-cloud/application.js'
import { Cluster } from './e2e-cloud/cluster.js'
import { Outgoing } from './e2e-cloud/outgoing.js'
import { Readers } from './e2e-cloud/readers.js'
import { Tokens } from './e2e-cloud/tokens.js'
import { hourMs, minuteMs, secretIds, secretsIn } from './e2e-cloud/world.js'
import { isEnough, which, whyFake } from './e2e-cluster/which.js'
import { countedLines, makeTrouble } from './e2e-gcp/alarms.js'
import { World } from './e2e-gcp/world.js'

/**
 * `npm run e2e:gcp -- --json` plays a day and a night of a project: every function is a process of Google's framework with its packaged bundle, Pub/Sub is Google's
 * own, PostgreSQL is real, Secret Manager and Cloud Tasks are doubles, and time passes by the minute of the scheduler. A database login goes from its due date
 * to the end of the old login, an API key and a signing key are rotated beside it. Before that, in real time, the pods of a cluster follow another login; the API
 * server is a real one if there is one. After it comes what somebody has to hear of: each metric of the Terraform module finds its lines then, and none before.
 * Exit 1 if a promise was broken.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, hours: { type: 'string', default: '32' } } })
const tell = (text: string): void => void (values.json || console.log(text))
/** The scheduler's interval; while nothing has been published for hours, nothing is lost by looking less often. */
const [stepMs, idleMs, busyMs] = [5 * minuteMs, 30 * minuteMs, 3 * hourMs]
/** How long a pod goes on after it was told to end. */
const podEndMs = 1000

async function play(closing: Closing) {
  const server = await closing.openPostgres()
  await arrangeRoles(server)
  const lab = await closing.open(() => Lab.open(which))
  const room = await closing.openLoops(() => lab.room(podEndMs, 'pods'))
  const cluster = await closing.openLoops(() => Cluster.open(room, server, 'google'))
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
  const { take } = world.fleet.pubsub
  world.fleet.double.onMessage = (message) => {
    take(message)
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
  await Promise.all([application.end(), cluster.close()])
  await readers.end()
  const statuses = await Promise.all(secretIds.map((id) => world.ask({ action: 'status', ref: `gcp:${id}` })))
  for (const { ref, version, next, retiring } of statuses)
    tell(`${ref}: version ${version}, ${next}, ${(retiring as unknown[]).length} retiring`)
  const before = await countedLines(world)
  const counts = Object.entries(apiCalls(world, hook)).sort(([a], [b]) => (a < b ? -1 : 1))
  await makeTrouble(world)
  const alarms = await countedLines(world)
  const leaks = await leaksOf(world, hook, readers, cluster)
  for (const leak of leaks) tell(leak)
  const users = [application, ...cluster.applications.values()]
  return {
    versionsPublished: Object.fromEntries([...readers.seen].map(([id, texts]) => [id, texts.size - 1])),
    untestedVisible: readers.untestedVisible,
    reads: readers.reads,
    failedReads: readers.failed,
    logins: users.reduce((sum, { logins }) => sum + logins, 0),
    loginFailures: users.reduce((sum, { failures }) => sum + failures, 0),
    retiredAfterDrain: db.endedAfter(application.left.get(db.username)) && pods.endedAfter(leftAt),
    unsettled: statuses.filter(({ code, announced }) => code !== null || announced !== true).length,
    events: Object.fromEntries([...application.events].map(([id, ids]) => [id, new Set(ids).size])),
    eventsRepeated: [...application.events.values()].reduce((sum, ids) => sum + ids.length - new Set(ids).size, 0),
    tokensIssued: tokens.issued,
    tokensRefused: tokens.refused,
    foreignRefused: tokens.foreignRefused() ?? null,
    signingKeys: tokens.kids.size,
    leaks: leaks.length,
    secondsToDrain,
    pokeToSyncedMs,
    pods: cluster.applications.size,
    server: which,
    alarmsBefore: before,
    alarms,
    apiCalls: Object.fromEntries(counts),
  }
}

/** When something was published last, of all secrets. */
const newestOf = ({ fleet }: World): number => Math.max(...secretIds.map((id) => fleet.secret(id).versions.at(-1)?.createdAt ?? 0))

/** What was called, by kind. */
function apiCalls({ fleet }: World, { got }: WebhookServer): Record<string, number> {
  const counts: Record<string, number> = { 'tasks.create': fleet.project.tasks.calls.length, webhook: got.length }
  for (const { name } of fleet.double.calls) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

/** How a token that a real API server issues begins. */
const tokenHead = Buffer.from('{"alg":"RS256","kid":').toString('base64url')
/** Every value that was ever visible, the keys of the administrator and the webhook, and tokens for the cluster, in everything that left a function. */
async function leaksOf(world: World, { got }: WebhookServer, readers: Readers, cluster: Cluster): Promise<readonly string[]> {
  const { double, project } = world.fleet
  const secrets: Record<string, string> = {
    administrator: adminPassword,
    'webhook key': key,
    'access token': cluster.accessToken,
    'a token of the cluster': tokenHead,
  }
  for (const [id, texts] of readers.seen)
    for (const [index, text] of [...texts].entries())
      for (const [field, secret] of secretsIn(text)) secrets[`${id} ${index} ${field}`] = secret
  const logs = await Promise.all([...world.functions].map(async ([name, one]) => [`the log of ${name}`, await one.stop()] as const))
  const places = {
    ...Object.fromEntries(logs),
    tasks: project.tasks.calls.map(({ text }) => text + Buffer.from(bodyOf(text), 'base64').toString()).join('\n'),
    answers: world.answers.join('\n'),
    webhooks: got.map(({ headers, body }) => JSON.stringify(headers) + body).join('\n'),
    messages: JSON.stringify(double.messages) + double.messages.map(({ data }) => Buffer.from(data ?? '', 'base64').toString()).join('\n'),
    cluster: await cluster.written(),
    journals: secretIds.map((id) => [...world.fleet.secret(`${id}--pending`).annotations.values()].join('\n')).join('\n'),
    'the command line': world.keyturn.said,
  }
  return leaksIn(places, secrets)
}
const bodyOf = (text: string): string => (JSON.parse(text) as { task: { httpRequest: { body: string } } }).task.httpRequest.body

const why = whyNoPubSub()
if (why !== false) throw new Error(why)
await runToEnd(async (closing) => {
  const result = await play(closing)
  const { versionsPublished: versions, untestedVisible, failedReads, loginFailures, retiredAfterDrain, unsettled } = result
  const isKept =
    isEnough &&
    result.pods === 4 &&
    [versions.db, versions['api-key'], versions.pods].every((count) => count === 1) &&
    (versions.signing ?? 0) >= 1 &&
    [untestedVisible, failedReads, loginFailures, unsettled, result.tokensRefused, result.leaks].every((count) => count === 0) &&
    (result.foreignRefused ?? 0) === 0 &&
    retiredAfterDrain &&
    Object.entries(result.alarmsBefore).every(([metric, count]) => count > 0 === (metric === 'looked')) &&
    Object.values(result.alarms).every((count) => count > 0)
  console.log(values.json ? JSON.stringify(result) : result)
  if (whyFake) tell(`The API server is a stand-in: ${whyFake}`)
  process.exitCode = isKept ? 0 : 1
})
