import * as v from 'valibot'
import { platformNames } from './platforms/registry.js'

/** The names that the API server itself accepts: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
export const label = v.pipe(v.string(), v.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a name of a-z 0-9 -'))
/** The name of an object, which may have dots. */
export const objectName = v.pipe(v.string(), v.regex(/^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/, 'must be a name of a-z 0-9 - .'))
const pem = v.pipe(v.string(), v.regex(/-----BEGIN CERTIFICATE-----/, 'must be a certificate in PEM'))

/** One API server, and as whom we call it. The CA is the cluster's own; without one Node's list is used. */
export const clusterSettings = v.pipe(
  v.strictObject({
    /** Inside a pod: the server, CA and token that every pod has. */
    inCluster: v.optional(v.boolean(), false),
    /** A kubeconfig file, and one of its contexts; the current one where none is named. */
    kubeconfig: v.optional(v.pipe(v.string(), v.nonEmpty())),
    context: v.optional(v.pipe(v.string(), v.nonEmpty())),
    server: v.optional(
      v.pipe(
        v.string(),
        v.url(),
        v.regex(/^https:\/\/[^?#@]+$/i, 'must be an https URL without a user, a query or a fragment'),
        v.maxLength(2000),
      ),
    ),
    ca: v.optional(pem),
    /** Read again when it is a minute old, because whatever mounts a bound token renews it. */
    tokenFile: v.optional(v.pipe(v.string(), v.nonEmpty())),
    token: v.optional(v.pipe(v.string(), v.nonEmpty())),
    /** Calls are made as the account of the platform (google: GKE; azure: AKS), with its own access tokens. */
    auth: v.optional(v.picklist(platformNames)),
    /** Calls are made as this account, with tokens for an hour. The access above requests them (TokenRequest). */
    serviceAccount: v.optional(v.pipe(v.string(), v.regex(/^[-a-z0-9]{1,63}\/[-.a-z0-9]{1,253}$/, 'must be namespace/name'))),
  }),
  v.check((all) => isOneWay(all), 'must have one way in: "inCluster": true, a kubeconfig, or server and one of tokenFile, token and auth'),
)
function isOneWay(all: {
  readonly inCluster: boolean
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  readonly server?: string | undefined
  readonly ca?: string | undefined
  readonly token?: string | undefined
  readonly tokenFile?: string | undefined
  readonly auth?: string | undefined
}): boolean {
  const { inCluster, kubeconfig, context, server, ca, token, tokenFile, auth } = all
  const ways = [token, tokenFile, auth].filter((one) => one !== undefined)
  const direct = ways.length > 0 || server !== undefined || ca !== undefined
  if (inCluster) return !direct && kubeconfig === undefined && context === undefined
  if (kubeconfig !== undefined) return !direct
  return context === undefined && server !== undefined && ways.length === 1
}
/** How an API server is reached: the cluster around us, a kubeconfig, or a server with one token. */
export type ClusterSettings = v.InferOutput<typeof clusterSettings>

/** One key of one ConfigMap. */
export interface ConfigMapPlace {
  readonly cluster: string
  readonly namespace: string
  readonly name: string
  readonly key: string
}
const form = /^([a-z0-9][a-z0-9._-]*)\/([a-z0-9][-a-z0-9]*)\/([a-z0-9][-.a-z0-9]*)#([-._a-zA-Z0-9]{1,253})$/

/** Reads `cluster/namespace/name#key`; undefined for anything else. */
export function configMapPlace(text: string): ConfigMapPlace | undefined {
  const [, cluster = '', namespace = '', name = '', key = ''] = form.exec(text) ?? []
  return key === '' ? undefined : { cluster, namespace, name, key }
}
