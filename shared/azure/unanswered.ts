import { systemCodeOf } from '../core/errors.js'

/** What msal says where it reached nobody. The credentials of a service principal pass it on in a text alone. */
const nobody = /(?:^|\s)(network_error|endpoints_resolution_error)\b/
const network =
  /^(?:ECONN(?:REFUSED|RESET|ABORTED)|ETIMEDOUT|EPIPE|EAI_AGAIN|ENOTFOUND|ENETUNREACH|EHOSTUNREACH|ENETDOWN|EPROTO|REQUEST_SEND_ERROR)$/
/** 404 and 410: what an identity endpoint answers while it is set up. The library repeats after each of them. */
const passes = (status: unknown): boolean => typeof status === 'number' && (status >= 500 || [404, 408, 410, 429].includes(status))

/**
 * Why there was no usable answer to a request for a token, by an error of @azure/identity; undefined where there are no credentials, or they were refused.
 * The library (4.13.1) calls both by the same names: what it met is in the causes, of which a chain of credentials has a list.
 */
export function whyUnanswered(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  const { status, statusCode, errorCode, errors }: Partial<Record<string, unknown>> = { ...cause }
  const found = [status, statusCode].find(passes)
  if (found !== undefined) return `status ${found}`
  const code = systemCodeOf(cause) ?? ''
  if (network.test(code)) return code
  const [, word] = nobody.exec(typeof errorCode === 'string' ? errorCode : '') ?? nobody.exec(cause.message) ?? []
  if (word !== undefined) return word
  const below: readonly unknown[] = [cause.cause, ...(Array.isArray(errors) ? errors : [])]
  return below.map(whyUnanswered).find((why) => why !== undefined)
}
