import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LookReport } from '../../shared/app/look-report.js'
import { CloudTasksDouble } from '../../test/harness/cloud-tasks.js'
import { MetadataServer } from '../../test/harness/gcp-metadata.js'
import { Child } from './child.js'
import { configurationName, dueKey, expectedOf, type Layout } from './fleet.js'
import type { FunctionAnswer, FunctionQuestion } from './function-process.js'
import type { SecretsAnswer, SecretsQuestion } from './secrets-process.js'

/** What one look over a fleet cost, and whether it found what it had to. */
export interface Measured {
  readonly layout: Layout
  readonly secrets: number
  /** Calls of ListSecrets. */
  readonly pages: number
  /** How often each other call of the service was made: what the listing shows to be due is described. */
  readonly otherCalls: Readonly<Record<string, number>>
  readonly tasks: Tasks
  /** What the function answered. */
  readonly report: LookReport
  /** Of the function's process after a forced collection, while the listing is at that place. Megabytes. */
  readonly heapMb: { readonly atTenth: number; readonly atHalf: number; readonly atEnd: number; readonly ratio: number }
  readonly rssMbMax: number
  readonly ms: number
  /** Of the function's process alone: other work of the machine does not count. */
  readonly cpuMs: number
  readonly secretsPerSecond: number
  /** Two looks at once, in two processes, over the same fleet with an empty queue; absent where nobody asked for it. */
  readonly twoAtOnce?: Tasks & { readonly ms: number }
}
export interface Tasks {
  readonly expected: number
  /** Calls of tasks.create. */
  readonly sent: number
  readonly distinctNames: number
  /** How many calls the queue answered with ALREADY_EXISTS. */
  readonly alreadyThere: number
  /** Tasks beside the first of their secret and action. */
  readonly duplicates: number
  /** What is due and has no task, and what has a task and is not due: both empty, or the look is wrong. At most ten of each. */
  readonly missing: readonly string[]
  readonly unexpected: readonly string[]
}

const megabyte = 1024 * 1024
const mb = (bytes: number | undefined): number => Number(((bytes ?? Number.NaN) / megabyte).toFixed(1))
const intervalMs = 5 * 60_000
const queue = 'projects/p/locations/europe-west1/queues/work'

export interface FleetWish {
  readonly secrets: number
  readonly layout: Layout
  /** How many the service puts into a page at most, whatever it is asked for. */
  readonly pageSize?: number
  readonly twice?: true
}

/** Looks at a fleet as the deployed function does: once, and then twice at once where that is asked for. Each has a process and a heap of its own. */
export async function measureFleet({ secrets, layout, pageSize = 25_000, twice }: FleetWish): Promise<Measured> {
  // A look begins a minute into an interval, so that no two of them are in different ones.
  const now = Date.now() - (Date.now() % intervalMs) + 60_000
  const aheadMs = now - Date.now()
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-fleet-'))
  const metadata = await MetadataServer.open()
  const tasks = await CloudTasksDouble.open(() => Date.now() + aheadMs)
  const fleet = Child.start<SecretsQuestion, SecretsAnswer>('secrets-process', { flags: ['--max-old-space-size=3000'] })
  const env = environment(folder, metadata.host)
  const looks = (twice ? [1, 2] : [1]).map(() =>
    Child.start<FunctionQuestion, FunctionAnswer>('function-process', { env, flags: ['--expose-gc'] }),
  )
  try {
    const { port, listed } = await fleet.ask({ secrets, layout, now, pageSize })
    const heapAt = [0.1, 0.5, 1].map((part) => Math.round(listed * part))
    const question = { secretsPort: port, tasksEndpoint: tasks.endpoint, aheadMs }
    const answer = await answered(looks[0], { ...question, heapAt })
    const { calls } = await fleet.ask('calls')
    const measured = { layout, secrets, ...costOf(answer, calls, secrets), tasks: tasksOf(tasks, secrets) }
    if (!twice) return measured
    tasks.tasks.clear()
    tasks.calls.length = 0
    const from = performance.now()
    await Promise.all(looks.map((look) => answered(look, { ...question, heapAt: [] })))
    return { ...measured, twoAtOnce: { ...tasksOf(tasks, secrets), ms: Math.round(performance.now() - from) } }
  } finally {
    for (const one of [...looks, fleet]) await one.stop()
    await tasks.close()
    await metadata.close()
    await rm(folder, { recursive: true })
  }
}

function environment(folder: string, host: string): Readonly<Record<string, string>> {
  return {
    HOME: folder,
    CLOUDSDK_CONFIG: folder,
    GCE_METADATA_HOST: host,
    METADATA_SERVER_DETECTION: 'assume-present',
    GOOGLE_CLOUD_PROJECT: 'p',
    KEYTURN_CONFIG: `gcp:${configurationName}`,
    KEYTURN_QUEUE: queue,
    KEYTURN_WORK_URL: 'https://work-abc.a.run.app/work',
    KEYTURN_WORK_ACCOUNT: 'worker@p.iam.gserviceaccount.com',
  }
}

async function answered(look: Child<FunctionQuestion, FunctionAnswer> | undefined, question: FunctionQuestion): Promise<FunctionAnswer> {
  if (look === undefined) throw new Error('There is no such process.')
  const answer = await look.ask(question)
  if (answer.status !== 200) throw new Error(`The look was answered with ${answer.status}: ${look.log}`)
  return answer
}

function costOf({ body, ms, cpuMs, heap, rssMax }: FunctionAnswer, calls: Readonly<Record<string, number>>, secrets: number) {
  const { ListSecrets: pages = 0, ...otherCalls } = calls
  const [atTenth, atHalf, atEnd] = [mb(heap[0]), mb(heap[1]), mb(heap[2])]
  return {
    pages,
    otherCalls,
    report: body,
    heapMb: { atTenth, atHalf, atEnd, ratio: Number((atEnd / atTenth).toFixed(2)) },
    rssMbMax: mb(rssMax),
    ms: Math.round(ms),
    cpuMs: Math.round(cpuMs),
    secretsPerSecond: Math.round((secrets * 1000) / ms),
  }
}

/** Whether each thing that is due has one task, and nothing else has any. */
export const isExact = ({ duplicates, missing, unexpected }: Tasks): boolean => duplicates + missing.length + unexpected.length === 0

/** Counts what the queue was sent, and compares it with what is due. */
function tasksOf({ tasks, calls }: CloudTasksDouble, secrets: number): Tasks {
  const { due } = expectedOf(secrets)
  const keys = [...tasks.values()].map(({ body }) => {
    const { ref, action } = JSON.parse(body.toString()) as { ref: string; action: string }
    return dueKey(ref, action)
  })
  const found = new Set(keys)
  return {
    expected: due.size,
    sent: calls.length,
    distinctNames: tasks.size,
    alreadyThere: calls.filter(({ status }) => status === 409).length,
    duplicates: keys.length - found.size,
    missing: [...due].filter((key) => !found.has(key)).slice(0, 10),
    unexpected: [...found].filter((key) => !due.has(key)).slice(0, 10),
  }
}
