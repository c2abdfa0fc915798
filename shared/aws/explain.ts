import { messageOf, RotationError, systemCodeOf } from '../core/errors.js'
import { explainTimeouts, nameOf } from './client.js'

/** How the endpoint of a client is set. */
export interface EndpointSetting {
  /** The variable that our own code read it from; absent where the SDK found one by its own rules. */
  readonly variable?: string
}

/** The hosts of AWS itself, which the SDK chooses by the region. */
const ownHost = /\.(amazonaws\.com(\.cn)?|api\.aws|amazonwebservices\.com\.cn)$/i

/**
 * A step of a client that explains what the settings of this machine are wrong in: no region, no credentials, an endpoint that is not a URL, does not
 * resolve or takes no connection. Timeouts are put into words; every other error passes as the SDK throws it.
 */
export const explainSettings =
  (setting: EndpointSetting) =>
  <I, O>(next: (args: I) => Promise<O>) => {
    const inWords = explainTimeouts(next)
    return async (args: I): Promise<O> => {
      try {
        return await inWords(args)
      } catch (cause) {
        throw settingError(cause, setting) ?? cause
      }
    }
  }

function settingError(cause: unknown, setting: EndpointSetting): RotationError | undefined {
  if (cause instanceof RotationError) return undefined
  return regionError(cause) ?? credentialsError(cause) ?? endpointError(cause, setting)
}

function regionError(cause: unknown): RotationError | undefined {
  const field = 'AWS_REGION'
  const text = messageOf(cause)
  if (text.startsWith('Region is missing'))
    return new RotationError('bad_config', 'No AWS region is set.', {
      field,
      cause,
      next: 'Set AWS_REGION, or a region in your AWS profile.',
    })
  if (!text.startsWith('Region not accepted')) return undefined
  const next = 'Correct AWS_REGION, or the region in your AWS profile, to one such as eu-west-1.'
  return new RotationError('bad_config', 'The AWS region is not a valid name.', { field, cause, next })
}

/** The text of the SDK is not repeated: what a credential process or a profile says may be in it. */
function credentialsError(cause: unknown): RotationError | undefined {
  if (nameOf(cause) !== 'CredentialsProviderError') return undefined
  return new RotationError('denied', 'No AWS credentials could be loaded.', {
    field: 'AWS_ACCESS_KEY_ID',
    cause,
    next: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with credentials in AWS_PROFILE; aws sso login renews those of a session.',
  })
}

const unresolved = ['ENOTFOUND', 'EAI_AGAIN']
const unconnected = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']

function endpointError(cause: unknown, { variable }: EndpointSetting): RotationError | undefined {
  if (nameOf(cause) === 'TimeoutError' && messageOf(cause).startsWith('no connection')) return unreachedError(cause, variable)
  const code = systemCodeOf(cause) ?? ''
  if (code === 'ERR_INVALID_URL') {
    const next =
      variable === undefined
        ? 'Correct AWS_ENDPOINT_URL, the variable of the service (AWS_ENDPOINT_URL_…) or endpoint_url in your AWS profile to one such as https://host.'
        : `Write ${variable} as https://host.`
    return new RotationError('bad_config', 'The endpoint of AWS is not a URL.', { field: variable ?? 'AWS_ENDPOINT_URL', cause, next })
  }
  const isUnresolved = unresolved.includes(code)
  if (!isUnresolved && !unconnected.includes(code)) return undefined
  const host = textIn(cause, 'hostname') ?? textIn(cause, 'address')
  const field = variable ?? (host === undefined || ownHost.test(host) ? 'AWS_REGION' : 'AWS_ENDPOINT_URL')
  const shown = host === undefined ? 'The host of AWS' : `The host ${host}`
  const says = isUnresolved ? 'does not resolve' : 'takes no connection'
  return new RotationError('unavailable', `${shown} ${says} (${code}).`, {
    field,
    cause,
    next: `Check ${field}, and name service and network of this machine; then run the same command again.`,
  })
}

/** Without the name of the host: the SDK does not say which one took no connection. */
function unreachedError(cause: unknown, variable = 'AWS_REGION'): RotationError {
  const text = messageOf(cause)
  const endpoint = variable === 'AWS_REGION' ? 'AWS_REGION and AWS_ENDPOINT_URL' : variable
  return new RotationError('unavailable', `${text.charAt(0).toUpperCase()}${text.slice(1)}.`, {
    field: variable,
    cause,
    next: `Check ${endpoint}, and name service and network of this machine; then run the same command again.`,
  })
}

function textIn(cause: unknown, name: 'hostname' | 'address'): string | undefined {
  const found: unknown = typeof cause === 'object' && cause !== null ? Reflect.get(cause, name) : undefined
  return typeof found === 'string' ? found : undefined
}
