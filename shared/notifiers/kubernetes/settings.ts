import * as v from 'valibot'
import { parseWindow } from '../../core/policy/window.js'

/** As the API server itself takes names: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const label = v.pipe(v.string(), v.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a name of a-z 0-9 -'))
const objectName = v.pipe(v.string(), v.regex(/^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/, 'must be a name of a-z 0-9 - .'))
const pem = v.pipe(v.string(), v.regex(/-----BEGIN CERTIFICATE-----/, 'must be a certificate in PEM'))

/** One API server and who we are there. The CA is the cluster's own; without one Node's list stands. */
export const clusterSettings = v.pipe(
  v.strictObject({
    /** Inside a pod: the server, CA and token that every pod has. */
    inCluster: v.optional(v.boolean(), false),
    /** A kubeconfig file, and which of its contexts; its current one where none is named. */
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
    /** Read anew when it is a minute old: bound tokens are renewed by whoever mounts them. */
    tokenFile: v.optional(v.pipe(v.string(), v.nonEmpty())),
    token: v.optional(v.pipe(v.string(), v.nonEmpty())),
    /** Calls are made as this account, with tokens of an hour that are asked for (TokenRequest) with the access above. */
    serviceAccount: v.optional(v.pipe(v.string(), v.regex(/^[-a-z0-9]{1,63}\/[-.a-z0-9]{1,253}$/, 'must be namespace/name'))),
  }),
  v.check((all) => isOneWay(all), 'must have one way in: "inCluster": true, a kubeconfig, or server and one of tokenFile and token'),
)
function isOneWay(all: {
  readonly inCluster: boolean
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  readonly server?: string | undefined
  readonly ca?: string | undefined
  readonly token?: string | undefined
  readonly tokenFile?: string | undefined
}): boolean {
  const { inCluster, kubeconfig, context, server, ca, token, tokenFile } = all
  const direct = [server, ca, token, tokenFile].some((one) => one !== undefined)
  if (inCluster || kubeconfig !== undefined)
    return !direct && inCluster === (kubeconfig === undefined) && (context === undefined || !inCluster)
  return context === undefined && server !== undefined && (token === undefined) !== (tokenFile === undefined)
}
export type ClusterSettings = v.InferOutput<typeof clusterSettings>

export const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'Pod'] as const
export type WorkloadKind = (typeof workloadKinds)[number]
const workload = v.pipe(
  v.string(),
  v.regex(
    /^(Deployment|StatefulSet|DaemonSet|Job|Pod)\/[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/,
    'must be Deployment/name, StatefulSet/name, DaemonSet/name, Job/name or Pod/name',
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
  /**
   * rolling: each workload is restarted once a publication, as its own strategy says. together: then all its pods of before are ended at once, for
   * what may not run with two values at a time. none: its pods read the mounted file anew by themselves.
   */
  restart: v.optional(v.picklist(['rolling', 'together', 'none']), 'rolling'),
  /** When restarts may start, as policies write it: `sun 02:00-04:00 Europe/Berlin`. */
  window: v.optional(
    v.pipe(
      v.string(),
      v.rawCheck(({ dataset, addIssue }) => {
        const wrong = dataset.typed ? parseWindow(dataset.value) : undefined
        if (typeof wrong === 'string') addIssue({ message: wrong })
      }),
    ),
  ),
  /** What shows that the Secret holds this publication where it is rendered by a template: a key or annotation of it, and the field of the value that stands there. */
  marker: v.optional(
    v.pipe(
      v.strictObject({
        key: v.optional(v.pipe(v.string(), v.nonEmpty())),
        annotation: v.optional(v.pipe(v.string(), v.nonEmpty())),
        field: v.pipe(v.string(), v.nonEmpty()),
      }),
      v.check(({ key, annotation }) => (key === undefined) !== (annotation === undefined), 'must name one of key and annotation'),
    ),
  ),
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
  return restart !== 'none' && workloads.length === 0 ? 'has no workloads to restart; name them, or set "restart": "none"' : undefined
}
