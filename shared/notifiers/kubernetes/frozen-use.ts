import type { Container, Workload } from './objects.js'
import type { WorkloadRef } from './workload.js'

/**
 * How the pods of a workload take a Secret so that they keep its old value for as long as they run; undefined where they do not. A volume follows the
 * Secret. Variables and files under a subPath are made once, when a container starts. An init container reads once, however it takes it.
 */
export function frozenUse({ spec }: Workload, secret: string): string | undefined {
  const { containers = [], initContainers = [], volumes = [] } = spec.template.spec ?? {}
  const isOfSecret = ({ secret: own, projected }: (typeof volumes)[number]): boolean =>
    own?.secretName === secret || (projected?.sources ?? []).some((source) => source.secret?.name === secret)
  const names = new Set(volumes.filter(isOfSecret).map(({ name }) => name))
  const ways = [...containers, ...initContainers].flatMap((container) => {
    const way = wayOf(container, secret, names)
    return way === undefined ? [] : [`its container ${container.name} takes the Secret ${secret} ${way}`]
  })
  const [first] = ways
  if (first !== undefined) return first
  const mounts = ({ volumeMounts }: Container): boolean => volumeMounts.some(({ name }) => names.has(name))
  const once = initContainers.find((container) => container.restartPolicy !== 'Always' && mounts(container))
  const isRead = [...containers, ...initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')].some(mounts)
  return once === undefined || isRead ? undefined : `only its init container ${once.name} reads the Secret ${secret}`
}

function wayOf({ env, envFrom, volumeMounts }: Container, secret: string, volumes: ReadonlySet<string>): string | undefined {
  const variable = env.find(({ valueFrom }) => valueFrom?.secretKeyRef?.name === secret)
  if (variable !== undefined) return `by env (${variable.name})`
  if (envFrom.some(({ secretRef }) => secretRef?.name === secret)) return 'by envFrom'
  const mount = volumeMounts.find(({ name, subPath, subPathExpr }) => volumes.has(name) && (subPath ?? subPathExpr ?? '') !== '')
  return mount && `by subPath (${mount.mountPath})`
}

/** Why pods that are not restarted never get another value, for people. */
export const shownFrozen = ({ shown }: WorkloadRef, use: string): string =>
  `${shown} keeps the old value for as long as its pods run: ${use}`
