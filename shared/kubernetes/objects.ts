import * as v from 'valibot'
import { RotationError } from '../core/errors.js'

/** delivery_failed where the server answered with something else: it may be a proxy's page. The object is never quoted. */
export function reader<const S extends v.GenericSchema>(schema: S, kind: string): (body: unknown) => v.InferOutput<S> {
  return (body) => {
    const result = v.safeParse(schema, body)
    if (result.success) return result.output
    throw new RotationError('delivery_failed', `The answer is no ${kind}: wrong at ${v.getDotPath(result.issues[0]) ?? 'its top'}.`, {
      next: 'Check that the server of this cluster is its API server.',
    })
  }
}

const issuedToken = v.object({ status: v.object({ token: v.string(), expirationTimestamp: v.string() }) })
export const asIssuedToken = reader(issuedToken, 'token')

const configMap = v.object({
  metadata: v.object({ resourceVersion: v.string() }),
  immutable: v.optional(v.boolean(), false),
  data: v.optional(v.record(v.string(), v.string()), {}),
})
export const asConfigMap = reader(configMap, 'ConfigMap')
