import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { credentials } from '@grpc/grpc-js'
import { createHandler } from '../../functions/gcp/sweep.js'
import { readTasks } from '../../functions/gcp/tasks/settings.js'
import { CloudTasks } from '../../functions/gcp/tasks.js'
import type { LookReport } from '../../shared/app/look-report.js'
import { type GcpOptions, GcpSecretManager } from '../../shared/stores/gcp-secret-manager.js'
import { ServedFunction } from '../../test/harness/gcp-functions.js'
import { answerParent } from './child.js'

/** How the function is to reach the doubles; `aheadMs` is how far its clock is ahead of the machine's. */
export interface FunctionQuestion {
  readonly secretsPort: number
  readonly tasksEndpoint: `http://127.0.0.1:${number}`
  readonly aheadMs: number
  /** When so many secrets and staging places were listed, the heap is measured. */
  readonly heapAt: readonly number[]
}
export interface FunctionAnswer {
  readonly status: number
  readonly body: LookReport
  readonly ms: number
  /** CPU time of the process for it. */
  readonly cpuMs: number
  /** Bytes after a forced collection, at each of `heapAt`. */
  readonly heap: readonly number[]
  /** The most that the process ever had in memory, in bytes. */
  readonly rssMax: number
}

const heapNow = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
let question: FunctionQuestion | undefined
let heap: number[] = []

let listed = 0

/** The store as it is, which measures between two pages of its list: nothing is added to the work for one secret. */
class MeasuredStore extends GcpSecretManager {
  constructor(options: GcpOptions) {
    super(options)
    const pages = this.api.secrets.bind(this.api)
    this.api.secrets = async function* (place) {
      for await (const page of pages(place)) {
        yield page
        const before = listed
        listed += page.length
        if (question?.heapAt.some((at) => before < at && at <= listed)) heap.push(heapNow())
      }
    }
  }
}

let served: ServedFunction | undefined
async function serve({ secretsPort, tasksEndpoint, aheadMs }: FunctionQuestion): Promise<ServedFunction> {
  const open = () =>
    new SecretManagerServiceClient({
      apiEndpoint: '127.0.0.1',
      port: secretsPort,
      sslCreds: credentials.createInsecure(),
      projectId: 'p',
    })
  const handler = createHandler({
    env: { now: () => Date.now() + aheadMs },
    openStore: (env) => new MeasuredStore({ env, project: 'p', open }),
    openQueue: (env) => new CloudTasks({ ...readTasks(process.env), env, endpoint: tasksEndpoint }),
  })
  return ServedFunction.http(handler)
}

answerParent<FunctionQuestion, FunctionAnswer>(async (asked) => {
  question = asked
  heap = []
  listed = 0
  served ??= await serve(asked)
  const cpu = process.cpuUsage()
  const from = performance.now()
  const { status, text } = await served.post('')
  const ms = performance.now() - from
  const { user, system } = process.cpuUsage(cpu)
  const cpuMs = (user + system) / 1000
  return { status, body: JSON.parse(text), ms, cpuMs, heap, rssMax: process.resourceUsage().maxRSS * 1024 }
})
