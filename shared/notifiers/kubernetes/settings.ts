import * as v from 'valibot'

/** As the API server itself takes names: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const label = v.pipe(v.string(), v.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a name of a-z 0-9 -'))
const objectName = v.pipe(v.string(), v.regex(/^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/, 'must be a name of a-z 0-9 - .'))
const pem = v.pipe(v.string(), v.regex(/-----BEGIN CERTIFICATE-----/, 'must be a certificate in PEM'))

/** One API server and who we are there. The CA is the cluster's own; without one Node's list stands. */
export const clusterSettings = v.pipe(
  v.strictObject({
    /** Inside a pod: the server, CA and token that every pod has. */
    inCluster: v.optional(v.boolean(), false),
    server: v.optional(v.pipe(v.string(), v.url(), v.regex(/^https:\/\//i, 'must be an https URL'), v.maxLength(2000))),
    ca: v.optional(pem),
    /** Read anew when it is a minute old: bound tokens are renewed by whoever mounts them. */
    tokenFile: v.optional(v.pipe(v.string(), v.nonEmpty())),
    token: v.optional(v.pipe(v.string(), v.nonEmpty())),
  }),
  v.check(
    ({ inCluster, server, ca, token, tokenFile }) =>
      inCluster
        ? server === undefined && ca === undefined && token === undefined && tokenFile === undefined
        : server !== undefined && (token === undefined) !== (tokenFile === undefined),
    'must have "inCluster": true alone, or server and one of tokenFile and token',
  ),
)
export type ClusterSettings = v.InferOutput<typeof clusterSettings>

export const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const
export type WorkloadKind = (typeof workloadKinds)[number]
const workload = v.pipe(
  v.string(),
  v.regex(
    /^(Deployment|StatefulSet|DaemonSet)\/[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/,
    'must be Deployment/name, StatefulSet/name or DaemonSet/name',
  ),
)

const entries = {
  cluster: v.pipe(v.string(), v.nonEmpty()),
  namespace: label,
  externalSecret: v.optional(objectName),
  clusterExternalSecret: v.optional(objectName),
  /** What an ExternalSecret calls this secret (remoteRef.key), where it is not the secret's own name. */
  remoteKey: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(2048))),
  /** Who uses it. */
  workloads: v.optional(v.pipe(v.array(workload), v.maxLength(20)), []),
  /** rolling: each workload is restarted once a publication. none: its pods read the mounted file anew by themselves. */
  restart: v.optional(v.picklist(['rolling', 'none']), 'rolling'),
  /** With restart none: how long after the Secret was written everybody has read it. */
  soakSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(7 * 86_400)), 300),
  timeoutMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(25_000)), 10_000),
}
/** As it stands in the configuration secret, beside kind and required. */
export const settings = v.strictObject(entries)
/** As the notifier gets it: with what stands under `clusters`. */
export const wholeSettings = v.strictObject({ ...entries, access: clusterSettings })
export type KubernetesSettings = v.InferOutput<typeof wholeSettings>

/** Why what is set cannot work together: undefined where it can. */
export function whyNot({ externalSecret, clusterExternalSecret, workloads, restart }: v.InferOutput<typeof settings>): string | undefined {
  if ((externalSecret === undefined) === (clusterExternalSecret === undefined))
    return 'must name one of externalSecret and clusterExternalSecret'
  return restart === 'rolling' && workloads.length === 0 ? 'has no workloads to restart; name them, or set "restart": "none"' : undefined
}
