import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { checkout, handlerName, run, serverless, unpacked } from '../test/harness/aws-package.js'
import { AwsWorld, functionArn, resetRoles } from '../test/harness/aws-world.js'
import { LambdaRuntime } from '../test/harness/lambda-runtime.js'
import { loginsIn } from '../test/harness/postgres-client.js'
import { PostgresServer, removeCopies } from '../test/harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../test/harness/postgres-world.js'

/**
 * `npm run bench:aws -- --json`: the packaged rotation function, in processes of its own, against the double of Secrets Manager and a real
 * PostgreSQL. Calls of the service and connections a rotation are counted; milliseconds are of this machine and only to be compared with one
 * another. warm: one instance for all steps; cold: a new process for each step. Nothing asserts on it.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })

interface Measured {
  readonly apiCalls: number
  readonly connections: number
  readonly ms: number
}
const graceMs = 1000
const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0

async function measure(
  server: PostgresServer,
  task: string,
  strategy: 'replace' | 'alternate',
  cold: boolean,
  starts: { ms: number[]; rss: number[] },
): Promise<Measured> {
  await resetRoles(server)
  const world = await AwsWorld.open(server)
  const environment = {
    SECRETS_MANAGER_ENDPOINT: world.double.endpoint,
    KEYTURN_SHORT_GRACE: '1',
    KEYTURN_POLICY_GRACE: `${graceMs / 1000}s`,
  }
  const start = async (): Promise<LambdaRuntime> => {
    const runtime = await LambdaRuntime.start(process.execPath, task, handlerName, environment)
    starts.ms.push(runtime.started?.ms ?? Number.NaN)
    starts.rss.push(runtime.started?.rss ?? Number.NaN)
    return runtime
  }
  let warm: LambdaRuntime | undefined
  world.double.functions.set(functionArn, async (event) => {
    const runtime = cold || warm === undefined ? await start() : warm
    if (!cold) warm = runtime
    const answer = await runtime.invoke(event)
    if (cold) await runtime.close()
    return answer
  })
  const admin = world.make('admin', world.adminValue())
  const arn = world.make('db', strategy === 'replace' ? world.value('app') : world.value('plain', firstPassword, { masterarn: admin }))
  const times: number[] = []
  const turns = cold ? 3 : 15
  for (let turn = -1; turn < turns; turn++) {
    if (strategy === 'alternate') await delay(graceMs + 50)
    if (turn === 0) {
      world.double.calls.length = 0
      server.clearLog()
    }
    const from = performance.now()
    await world.rotate(arn)
    if (turn >= 0) times.push(performance.now() - from)
    if (world.double.events.at(-1)?.name !== 'RotationSucceeded')
      throw new Error(`A rotation failed: ${JSON.stringify(world.double.events.at(-2))}`)
  }
  await delay(100) // the server's log arrives a little later
  const { accepted, refused } = loginsIn(server.log)
  await warm?.close()
  await world.close()
  return { apiCalls: world.double.calls.length / turns, connections: (accepted + refused) / turns, ms: Math.round(median(times)) }
}

const folder = await checkout()
const server = await PostgresServer.start()
let task: string | undefined
try {
  run(folder, process.execPath, ['scripts/functions.mjs'])
  serverless(folder)
  const zip = join(folder, '.serverless/rotate.zip')
  task = await unpacked(zip)
  await arrangeRoles(server)
  const starts = { ms: [], rss: [] }
  const rotations = {
    replaceWarm: await measure(server, task, 'replace', false, starts),
    replaceCold: await measure(server, task, 'replace', true, starts),
    alternateWarm: await measure(server, task, 'alternate', false, starts),
    alternateCold: await measure(server, task, 'alternate', true, starts),
  }
  const sizes = {
    bundleBytes: (await readFile(join(task, 'dist/functions/aws/rotate/index.js'))).length,
    zipBytes: (await stat(zip)).size,
    coldStartMs: Math.round(median(starts.ms)),
    rssMiB: Math.round(median(starts.rss) / 1024 / 1024),
  }
  if (values.json) console.log(JSON.stringify({ ...rotations, ...sizes }))
  else {
    console.table(rotations)
    console.table(sizes)
  }
} finally {
  await server.stop()
  await removeCopies()
  for (const one of [folder, task]) if (one !== undefined) await rm(one, { recursive: true, force: true })
}
