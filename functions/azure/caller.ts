import type { HttpRequest } from '@azure/functions'
import type { Environment } from '../../shared/app/platform.js'
import { RotationError } from '../../shared/core/errors.js'

const field = 'KEYTURN_INVOKERS'
const principalForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Object ids of the principals of Entra that may call `invoke`, separated by spaces; undefined where it is not set: whoever has a key of the function. bad_config. */
function invokers({ [field]: text }: Environment): readonly string[] | undefined {
  if (!text) return undefined
  const ids = text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((id) => id !== '')
  if (ids.length > 0 && ids.every((id) => principalForm.test(id))) return ids
  throw new RotationError('bad_config', `${field} must have object ids of principals.`, {
    field,
    next: 'Write the object ids of users, service principals or managed identities, separated by spaces, or remove it.',
  })
}

/** How the host checks who calls `invoke`: by a key of the function, or not at all where the platform's own authentication does that before it. */
export const authLevel = (environment: Environment): 'function' | 'anonymous' => (environment[field] ? 'anonymous' : 'function')

/**
 * Where principals are named: refuses whoever is not one of them. The platform writes the header after it has checked the token, and removes one that a caller sent; it does
 * so only where its authentication is on, which it says by WEBSITE_AUTH_ENABLED. denied, bad_config.
 */
export function assertCaller(request: Pick<HttpRequest, 'headers'>, environment: Environment): void {
  const ids = invokers(environment)
  if (ids === undefined) return
  if (environment.WEBSITE_AUTH_ENABLED?.toLowerCase() !== 'true') {
    throw new RotationError('denied', 'Nothing checks who calls this function: the authentication of the function app is off.', {
      next: `Turn it on with Microsoft Entra, or remove ${field}: then a key of the function is needed.`,
    })
  }
  const caller = request.headers.get('x-ms-client-principal-id')?.toLowerCase()
  const isOfEntra = request.headers.get('x-ms-client-principal-idp') === 'aad'
  if (caller !== undefined && isOfEntra && ids.includes(caller)) return
  throw new RotationError('denied', `The caller is none of ${field}.`, { field, next: 'Add its object id there, if it may call this.' })
}
