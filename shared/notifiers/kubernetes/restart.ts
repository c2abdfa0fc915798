import { inWindow, parseWindow } from '../../core/policy/window.js'
import type { ConsumerState, NotifierContext } from '../../core/ports/notifier.js'
import type { Cluster } from './cluster.js'
import type { ExternalSecret, Resting, Workload } from './objects.js'
import type { KubernetesSettings } from './settings.js'
import { isMarkedBy, type Mark, secretNameOf } from './sync.js'
import {
  isMarked,
  isOwned,
  isRestartable,
  isRolledOut,
  isStuck,
  oldPods,
  ownerOf,
  revisionsOf,
  shownPod,
  type WorkloadRef,
  whyNeverDone,
  workloadRef,
} from './workload.js'

/** Makes the state to report. The next look comes after `waitMs`, or after two seconds. */
export type At = (phase: ConsumerState['phase'], evidence: string, waitMs?: number) => ConsumerState

const windowMs = 15 * 60_000

/** One write a look: the mark of one workload, or with `together` the end of all its old pods. Then whether everything is rolled out, and no pod of before is left. */
export async function restart(
  mark: Mark,
  wanted: KubernetesSettings,
  cluster: Cluster,
  externalSecret: ExternalSecret,
  at: At,
  { env, receipt }: NotifierContext,
): Promise<ConsumerState> {
  const now = env.now()
  const refs = wanted.workloads.map(workloadRef)
  const found: { readonly ref: WorkloadRef; readonly workload: Workload }[] = []
  for (const ref of refs.filter(isRestartable)) {
    const workload = await cluster.workload(ref)
    const owner = ownerOf(workload)
    const apart = wanted.restart === 'together' ? whyNeverDone(ref.kind, workload, wanted.restart) : undefined
    if (isMarked(workload, mark)) found.push({ ref, workload })
    else if (owner !== undefined)
      return at('verified', `${ref.shown} is made by ${owner}, which would take the mark away: restart it there`, windowMs)
    else if (apart !== undefined) return at('verified', `${ref.shown} ${apart}`, windowMs)
    else if (!isOpen(wanted.window, now)) return at('verified', `restarts wait for their window (${wanted.window})`, windowMs)
    else if (await wasUnmarked(mark, workload, cluster, receipt, now))
      return at(
        'restarted',
        `${ref.shown} was restarted, and something has set its template back: mend that, or use "restart": "none"`,
        windowMs,
      )
    else if (await cluster.restart(ref, mark)) return at('verified', `${ref.shown} is restarted`)
    else return at('verified', `${ref.shown} does not take our mark: something takes it away when it is written`, windowMs)
  }
  const waiting: string[] = []
  for (const { ref, workload } of found) {
    const never = whyNeverDone(ref.kind, workload, wanted.restart) ?? (isStuck(workload) ? 'has passed its progress deadline' : undefined)
    const old = oldPods(await cluster.pods(workload), mark)
    // Before its controller has seen the mark it would make pods of the old template again; of a workload that makes none of the new one, too.
    const seen = (workload.status?.observedGeneration ?? 0) >= workload.metadata.generation
    const together = wanted.restart === 'together' && ref.kind !== 'Deployment' && never === undefined && seen
    const revisions = together ? revisionsOf(old, workload) : []
    if (revisions.length > 0 && isOpen(wanted.window, now)) {
      await cluster.endPods(workload, revisions)
      return at('restarted', `all pods of before of ${ref.shown} are ended at once`)
    }
    if (revisions.length > 0) waiting.push(`the end of its pods waits for its window (${wanted.window})`)
    // Somebody did delete them, all of them.
    const replaced = workload.spec.updateStrategy?.type === 'OnDelete' && old.length === 0
    if (never !== undefined && !replaced) waiting.push(`${ref.shown} ${never}`)
    else if (!isRolledOut(ref.kind, workload)) waiting.push(`${ref.shown} is being rolled out`)
    if (old.length > 0)
      waiting.push(
        `${ref.shown} has ${old.length} pod${old.length === 1 ? '' : 's'} of before (${old.slice(0, 3).map(shownPod).join(', ')})`,
      )
  }
  waiting.push(...(await stillResting(wanted, cluster, await writtenAt(cluster, externalSecret))))
  return waiting.length === 0
    ? { phase: 'drained', evidence: `no pod of before is left of ${wanted.workloads.join(', ')}` }
    : at('restarted', waiting.join('; '))
}

const restartAgainMs = 3_600_000
/**
 * It has had our mark: its pods have it, or all workloads were restarted once. Each mark is a rollout, so that whatever sets the template back (a
 * deployment tool that knows no foreign annotations) is not answered with another one before an hour is over.
 */
async function wasUnmarked(
  mark: Mark,
  workload: Workload,
  cluster: Cluster,
  receipt: NotifierContext['receipt'],
  now: number,
): Promise<boolean> {
  const restarted = receipt?.phase === 'restarted' || receipt?.phase === 'drained'
  if (restarted) return now - receipt.at < restartAgainMs
  return (await cluster.pods(workload)).items.some((pod) => isOwned(pod, workload) && isMarkedBy(pod.metadata.annotations, mark))
}

function isOpen(text: string | undefined, now: number): boolean {
  const window = text === undefined ? undefined : parseWindow(text)
  return window === undefined || (typeof window !== 'string' && inWindow(window, now))
}

/** Jobs and bare pods read the Secret when they start, and nobody starts them anew: those that started before it was written, by name. */
export async function stillResting({ workloads }: KubernetesSettings, cluster: Cluster, written: number | undefined): Promise<string[]> {
  const waiting: string[] = []
  const isNew = (time: string | undefined): boolean => written !== undefined && time !== undefined && Date.parse(time) > written
  for (const ref of workloads.map(workloadRef).filter((one) => !isRestartable(one))) {
    const found = await cluster.resting(ref)
    // That it is not there is no proof that it has ended: the name may be wrong.
    if (found === undefined) waiting.push(`${ref.shown} is not there: take it out of this consumer, or correct its name`)
    else if (
      !hasEnded(found) &&
      !isNew(ref.kind === 'Job' ? (found.status?.startTime ?? found.metadata.creationTimestamp) : found.metadata.creationTimestamp)
    )
      waiting.push(
        `${ref.shown} started before, and has not ended${ref.kind === 'Pod' ? ': delete it, and start another of that name' : ''}`,
      )
  }
  return waiting
}
/** Before Kubernetes 1.31 a Job is called failed while its pods still end. */
const hasEnded = ({ status }: Resting): boolean => (status?.active ?? 0) + (status?.terminating ?? 0) === 0 && saysEnded({ status })
const saysEnded = ({ status }: Pick<Resting, 'status'>): boolean =>
  ['Failed', 'Succeeded'].includes(status?.phase ?? '') ||
  status?.conditions.some(({ type, status: is }) => ['Complete', 'Failed'].includes(type) && is === 'True') === true

/** By the server's clock; undefined where it does not say. */
export async function writtenAt(cluster: Cluster, externalSecret: ExternalSecret): Promise<number | undefined> {
  const secret = await cluster.secret(secretNameOf(externalSecret))
  const times = (secret?.metadata.managedFields ?? []).map(({ time }) => Date.parse(time ?? '')).filter((time) => !Number.isNaN(time))
  return times.length === 0 ? undefined : Math.max(...times)
}
