import * as v from 'valibot'
import { reader } from '../../kubernetes/objects.js'

/** The forms below are what is read of the cluster's objects. Everything else in them belongs to others. */
const texts = v.optional(v.record(v.string(), v.string()), {})
const owner = v.object({
  kind: v.string(),
  name: v.string(),
  uid: v.optional(v.string()),
  controller: v.optional(v.boolean(), false),
})
const metadata = v.object({
  name: v.string(),
  uid: v.optional(v.string()),
  resourceVersion: v.optional(v.string()),
  creationTimestamp: v.optional(v.string()),
  generation: v.optional(v.number(), 0),
  annotations: texts,
  labels: texts,
  deletionTimestamp: v.optional(v.string()),
  ownerReferences: v.optional(v.array(owner), []),
  managedFields: v.optional(v.array(v.object({ time: v.optional(v.string()) })), []),
})
const remoteRef = v.object({
  key: v.optional(v.string()),
  property: v.optional(v.string()),
  version: v.optional(v.string()),
  decodingStrategy: v.optional(v.string(), 'None'),
  conversionStrategy: v.optional(v.string(), 'Default'),
})
const storeRef = v.optional(v.object({ name: v.optional(v.string()), kind: v.optional(v.string(), 'SecretStore') }))
const sourceRef = v.optional(v.object({ generatorRef: v.optional(v.unknown()), storeRef }))
const externalSecret = v.object({
  metadata,
  spec: v.object({
    refreshPolicy: v.optional(v.string(), 'Periodic'),
    refreshInterval: v.optional(v.string(), '1h'),
    secretStoreRef: storeRef,
    target: v.optional(
      v.object({
        name: v.optional(v.string()),
        creationPolicy: v.optional(v.string(), 'Owner'),
        immutable: v.optional(v.boolean(), false),
        manifest: v.optional(v.object({ kind: v.optional(v.string(), 'resource') })),
        template: v.optional(v.object({ data: v.optional(v.unknown()), templateFrom: v.optional(v.unknown()) })),
      }),
    ),
    data: v.optional(v.array(v.object({ secretKey: v.string(), remoteRef, sourceRef })), []),
    dataFrom: v.optional(
      v.array(
        v.object({
          extract: v.optional(remoteRef),
          find: v.optional(v.unknown()),
          rewrite: v.optional(v.array(v.unknown()), []),
          sourceRef,
        }),
      ),
      [],
    ),
  }),
  status: v.optional(
    v.object({
      syncedResourceVersion: v.optional(v.string()),
      conditions: v.optional(
        v.array(
          v.object({ type: v.string(), status: v.string(), reason: v.optional(v.string(), ''), message: v.optional(v.string(), '') }),
        ),
        [],
      ),
    }),
  ),
})
/** What is read of an ExternalSecret, with the defaults above for what it omits. */
export type ExternalSecret = v.InferOutput<typeof externalSecret>

const name = v.optional(v.string(), '')
const named = v.optional(v.object({ name }))
const container = v.object({
  name,
  restartPolicy: v.optional(v.string()),
  env: v.optional(v.array(v.object({ name, valueFrom: v.optional(v.object({ secretKeyRef: named })) })), []),
  envFrom: v.optional(v.array(v.object({ secretRef: named })), []),
  volumeMounts: v.optional(
    v.array(v.object({ name, mountPath: name, subPath: v.optional(v.string()), subPathExpr: v.optional(v.string()) })),
    [],
  ),
})
/** What is read of a container: how it takes Secrets. */
export type Container = v.InferOutput<typeof container>
const volume = v.object({
  name,
  secret: v.optional(v.object({ secretName: name })),
  projected: v.optional(v.object({ sources: v.optional(v.nullable(v.array(v.object({ secret: named })))) })),
})
const podSpec = v.object({
  containers: v.optional(v.array(container), []),
  initContainers: v.optional(v.array(container), []),
  volumes: v.optional(v.array(volume), []),
})

const selector = v.object({
  matchLabels: texts,
  matchExpressions: v.optional(
    v.array(v.object({ key: v.string(), operator: v.string(), values: v.optional(v.array(v.string()), []) })),
    [],
  ),
})
const workload = v.object({
  metadata,
  spec: v.object({
    replicas: v.optional(v.number(), 1),
    paused: v.optional(v.boolean(), false),
    selector,
    strategy: v.optional(v.object({ type: v.optional(v.string()) })),
    updateStrategy: v.optional(
      v.object({ type: v.optional(v.string()), rollingUpdate: v.optional(v.nullable(v.object({ partition: v.optional(v.number(), 0) }))) }),
    ),
    template: v.object({ metadata: v.optional(v.object({ annotations: texts })), spec: v.optional(podSpec) }),
  }),
  status: v.optional(
    v.object({
      observedGeneration: v.optional(v.number(), 0),
      replicas: v.optional(v.number(), 0),
      updatedReplicas: v.optional(v.number(), 0),
      availableReplicas: v.optional(v.number(), 0),
      readyReplicas: v.optional(v.number(), 0),
      currentRevision: v.optional(v.string()),
      updateRevision: v.optional(v.string()),
      desiredNumberScheduled: v.optional(v.number(), 0),
      updatedNumberScheduled: v.optional(v.number(), 0),
      numberAvailable: v.optional(v.number(), 0),
      conditions: v.optional(v.array(v.object({ type: v.string(), status: v.string(), reason: v.optional(v.string(), '') })), []),
    }),
  ),
})
/** What is read of a Deployment, StatefulSet or DaemonSet. Replicas that it omits are 1, counts of its status are 0. */
export type Workload = v.InferOutput<typeof workload>

const pod = v.object({ metadata, status: v.optional(v.object({ phase: v.optional(v.string(), '') })) })
/** What is read of a pod; the phase is empty where the server does not give one. */
export type Pod = v.InferOutput<typeof pod>
/** What shows of a Job or a bare pod when it started and whether it has ended. */
const resting = v.object({
  metadata,
  status: v.optional(
    v.object({
      phase: v.optional(v.string(), ''),
      startTime: v.optional(v.string()),
      active: v.optional(v.number(), 0),
      terminating: v.optional(v.number(), 0),
      conditions: v.optional(v.array(v.object({ type: v.string(), status: v.string() })), []),
    }),
  ),
})
/** What is read of a Job or a bare pod. Times are as the server writes them; counts that it omits are 0. */
export type Resting = v.InferOutput<typeof resting>
const pods = v.object({
  metadata: v.object({ continue: v.optional(v.string(), '') }),
  items: v.array(pod),
})
/** One page of a list; on the last one `continue` is empty. */
export type Pods = v.InferOutput<typeof pods>

const secret = v.object({
  metadata,
  immutable: v.optional(v.boolean(), false),
  data: v.optional(v.record(v.string(), v.nullable(v.string(), '')), {}),
})
/** What is read of a Secret; each entry of `data` is base64, as the server sends it. */
export type Secret = v.InferOutput<typeof secret>

const clusterExternalSecret = v.object({ metadata, spec: v.object({ externalSecretName: v.optional(v.string()) }) })
const apiGroup = v.object({ versions: v.array(v.object({ version: v.string() })) })
const review = v.object({ status: v.object({ allowed: v.boolean() }) })
const store = v.object({
  spec: v.optional(v.object({ controller: v.optional(v.string(), '') }), {}),
  status: v.optional(v.object({ conditions: v.optional(v.array(v.object({ type: v.string(), status: v.string() })), []) })),
})

export const asExternalSecret = reader(externalSecret, 'ExternalSecret')
export const asClusterExternalSecret = reader(clusterExternalSecret, 'ClusterExternalSecret')
export const asWorkload = reader(workload, 'workload')
export const asPods = reader(pods, 'list of pods')
export const asResting = reader(resting, 'Job or Pod')
export const asSecret = reader(secret, 'Secret')
export const asApiGroup = reader(apiGroup, 'API group')
export const asReview = reader(review, 'access review')
export const asStore = reader(store, 'SecretStore')
