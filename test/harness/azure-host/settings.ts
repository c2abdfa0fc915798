/** What the host does with messages of queues, in milliseconds. */
export interface QueueSettings {
  readonly visibilityTimeoutMs: number
  readonly maxDequeueCount: number
  readonly batchSize: number
  readonly isBase64: boolean
}
export interface HostSettings {
  /** With a slash at its end, or empty. */
  readonly routePrefix: string
  readonly queues: QueueSettings
}
interface Written {
  readonly version: string
  readonly extensions?: {
    readonly http?: { readonly routePrefix?: string }
    readonly queues?: Readonly<Record<string, string | number>>
  }
}
const prefix = 'AzureFunctionsJobHost__extensions__queues__'

/** Reads host.json. Variables of the app override it, as the host has it: `AzureFunctionsJobHost__extensions__queues__visibilityTimeout`. */
export function readHost(text: string, env: Readonly<Record<string, string>>): HostSettings {
  const { version, extensions = {} } = JSON.parse(text) as Written
  if (version !== '2.0') throw new Error('host.json is of another version.')
  const { routePrefix = 'api' } = extensions.http ?? {}
  const queues = extensions.queues ?? {}
  const setting = (name: string, otherwise: string): string => env[prefix + name] ?? String(queues[name] ?? otherwise)
  return {
    routePrefix: routePrefix === '' ? '' : `${routePrefix}/`,
    queues: {
      visibilityTimeoutMs: spanOf(setting('visibilityTimeout', '00:00:00')),
      maxDequeueCount: Number(setting('maxDequeueCount', '5')),
      batchSize: Number(setting('batchSize', '16')),
      isBase64: setting('messageEncoding', 'base64') === 'base64',
    },
  }
}

function spanOf(text: string): number {
  const [, hours, minutes, seconds] = /^(\d\d):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text) ?? []
  if (seconds === undefined) throw new Error(`${text} is no span of time.`)
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000
}
