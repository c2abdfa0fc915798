import * as v from 'valibot'
import { RotationError } from '../core/errors.js'

/** Makes a reader of one kind of object. delivery_failed where the answer is something else, such as a proxy's page. The object is never quoted. */
export function reader<const S extends v.GenericSchema>(schema: S, kind: string): (body: unknown) => v.InferOutput<S> {
  return (body) => {
    const result = v.safeParse(schema, body)
    if (result.success) return result.output
    const where = v.getDotPath(result.issues[0]) ?? 'its top'
    throw new RotationError('delivery_failed', `The answer is not a ${kind}: wrong at ${where}.`, {
      next: 'Check that the server of this cluster is its API server.',
    })
  }
}

const issuedToken = v.object({ status: v.object({ token: v.string(), expirationTimestamp: v.string() }) })
/** Reads the answer of a TokenRequest. */
export const asIssuedToken = reader(issuedToken, 'token')

const configMap = v.object({
  metadata: v.object({ resourceVersion: v.string() }),
  immutable: v.optional(v.boolean(), false),
  data: v.optional(v.record(v.string(), v.string()), {}),
})
/** Reads a ConfigMap. */
export const asConfigMap = reader(configMap, 'ConfigMap')
