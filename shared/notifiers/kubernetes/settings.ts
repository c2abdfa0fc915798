import * as v from 'valibot'
import { parseWindow } from '../../core/policy/window.js'
import { clusterSettings, label, objectName } from '../../kubernetes/settings.js'

export const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'Pod'] as const
/** What a consumer may name as a workload. A Job or a bare pod is looked at, and never restarted. */
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
  /** The name that ExternalSecrets have for this secret (remoteRef.key), where it is not its name in its store. */
  remoteKey: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(2048))),
  /** The workloads that use the secret. */
  workloads: v.optional(v.pipe(v.array(workload), v.maxLength(20)), []),
  /**
   * rolling: each workload is restarted once for each publication, as its own strategy says. together: its old pods are ended all at once, for
   * workloads whose pods must not use two values at the same time. none: its pods read the mounted file again by themselves.
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
  /**
   * Shows that the Secret holds this publication where a template renders it: a key or annotation of the Secret, and the field of the value that
   * is written there.
   */
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
  /** With restart none: after how many seconds everybody has read the Secret. */
  soakSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(7 * 86_400)), 300),
  timeoutMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(25_000)), 10_000),
}
/** The form of its settings in the configuration secret, beside kind and required. */
export const settings = v.strictObject(entries)
/** The form of what the notifier gets: with the settings of the cluster from `clusters`. */
export const wholeSettings = v.strictObject({ ...entries, access: clusterSettings })
/** The settings with the name of the consumer, which errors say. */
export type KubernetesSettings = v.InferOutput<typeof wholeSettings> & { readonly consumer: string }

/** Why the settings cannot work together; undefined where they can. */
export function whyNot(wanted: v.InferOutput<typeof settings>): string | undefined {
  const { externalSecret, clusterExternalSecret, workloads, restart } = wanted
  if ((externalSecret === undefined) === (clusterExternalSecret === undefined))
    return 'must name one of externalSecret and clusterExternalSecret'
  if (restart === 'none' || workloads.length > 0) return undefined
  return 'has no workloads to restart; name them, or set "restart": "none"'
}
