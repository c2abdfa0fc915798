import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

/**
 * What Lambda's own Node runtime does with a function, as far as a function can tell: loads it once, asks the Runtime API for the next invocation,
 * calls the handler with a context, and posts what it answered or threw. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`
const root = process.env.LAMBDA_TASK_ROOT ?? '.'
const [path = '', name = ''] = (process.env._HANDLER ?? '').split(/\.(?=[^.]+$)/)

interface LambdaError {
  readonly errorType: string
  readonly errorMessage: string
  readonly trace: readonly string[]
}
const errorOf = (cause: unknown): LambdaError => {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') }
}
const post = async (to: string, body: unknown): Promise<void> => {
  await (await fetch(`${api}/${to}`, { method: 'POST', body: JSON.stringify(body ?? null) })).arrayBuffer()
}

try {
  const require = createRequire(join(root, 'index.js'))
  const loaded = require(join(root, dirname(path), `${basename(path)}.js`)) as Record<
    string,
    (event: unknown, context: object) => Promise<unknown>
  >
  const handler = loaded[name]
  if (handler === undefined) throw new Error(`There is no handler ${name}.`)
  await post('init/ready', { ms: Math.round(process.uptime() * 1000), rss: process.memoryUsage.rss() }) // only our double knows this path
  for (;;) {
    const next = await fetch(`${api}/invocation/next`)
    const id = next.headers.get('lambda-runtime-aws-request-id') ?? ''
    const deadline = Number(next.headers.get('lambda-runtime-deadline-ms'))
    const event: unknown = await next.json()
    try {
      const answer = await handler(event, { awsRequestId: id, getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()) })
      await post(`invocation/${id}/response`, answer)
    } catch (cause) {
      await post(`invocation/${id}/error`, errorOf(cause))
    }
  }
} catch (cause) {
  await post('init/error', errorOf(cause))
  process.exitCode = 1
}
