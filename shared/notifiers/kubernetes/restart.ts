import { inWindow, parseWindow } from '../../core/policy/window.js'
import type { Change, ConsumerState, NotifierContext } from '../../core/ports/notifier.js'
import type { Cluster } from './cluster.js'
import { frozenUse, shownFrozen } from './frozen-use.js'
import { neighboursOf } from './neighbours.js'
import type { ExternalSecret, Pod, Resting, Workload } from './objects.js'
import type { KubernetesSettings } from './settings.js'
import { isMarkedBy, type Mark, secretNameOf, sourceMark } from './sync.js'
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

interface Found {
  readonly ref: WorkloadRef
  readonly workload: Workload
}

/**
 * Restarts the workloads with one write in each look: it marks one workload, or with `together` ends all its old pods. Once all are marked it looks
 * whether everything is rolled out and no old pod is left.
 */
export async function restart(
  change: Change,
  wanted: KubernetesSettings,
  cluster: Cluster,
  externalSecret: ExternalSecret,
  at: At,
  context: NotifierContext,
): Promise<ConsumerState> {
  const now = context.env.now()
  const mark = sourceMark(change, wanted)
  const refs = wanted.workloads.map(workloadRef)
  const found: Found[] = []
  for (const ref of refs.filter(isRestartable)) {
    const workload = await cluster.workload(ref)
    if (isMarked(workload, mark)) found.push({ ref, workload })
    else return restartOne(change, { ref, workload }, wanted, cluster, externalSecret, at, context)
  }
  const waiting: string[] = []
  for (const one of found) {
    const left = await endOrWait(mark, one, wanted, cluster, now)
    if (left === 'ended') return at('restarted', `all old pods of ${one.ref.shown} are ended at once`)
    waiting.push(...left)
  }
  const written = await writtenAt(cluster, externalSecret)
  waiting.push(...(await stillResting(wanted, cluster, written)))
  if (waiting.length > 0) return at('restarted', waiting.join('; '))
  return { phase: 'drained', evidence: `no old pod is left of ${wanted.workloads.join(', ')}` }
}

/** Marks one workload, unless something keeps it from that: for us, and for each neighbour whose Secret holds this publication, too. */
async function restartOne(
  change: Change,
  { ref, workload }: Found,
  wanted: KubernetesSettings,
  cluster: Cluster,
  externalSecret: ExternalSecret,
  at: At,
  context: NotifierContext,
): Promise<ConsumerState> {
  const { shown } = ref
  const now = context.env.now()
  const mark = sourceMark(change, wanted)
  const owner = ownerOf(workload)
  if (owner !== undefined) return at('verified', `${owner} makes ${shown}, and would remove the mark: restart it there`, windowMs)
  const apart = wanted.restart === 'together' ? whyNeverDone(ref.kind, workload, wanted.restart) : undefined
  if (apart !== undefined) return at('verified', `${shown} ${apart}`, windowMs)
  if (!isOpen(wanted.window, now)) return at('verified', `restarts wait for their window (${wanted.window})`, windowMs)
  if (await wasUnmarked(mark, workload, cluster, context.receipt, now)) {
    const what = `${shown} was restarted, and something has set its template back`
    return at('restarted', `${what}: fix that, or use "restart": "none"`, windowMs)
  }
  const neighbours = await neighboursOf(change, ref, wanted, cluster, context)
  const coming = neighbours.filter(({ state }) => state === 'coming').map(({ name }) => name)
  if (coming.length > 0 && (await mayWait(cluster, externalSecret)))
    return at('verified', `${shown} reads ${coming.join(', ')}, too: it is restarted once for all when they are synced`)
  const ready = neighbours.filter(({ state }) => state === 'ready').map((one) => one.mark)
  if (await cluster.restart(ref, [mark, ...ready])) return at('verified', `${shown} is restarted`)
  return at('verified', `${shown} does not keep our mark: something removes it as it is written`, windowMs)
}

const neighbourMsMax = 300_000
/** Whether a restart may still wait for neighbours: for five minutes from the write of our own Secret, by the server's clock. Another restart follows then. */
async function mayWait(cluster: Cluster, externalSecret: ExternalSecret): Promise<boolean> {
  const written = await writtenAt(cluster, externalSecret)
  const { serverNow } = cluster
  return written !== undefined && serverNow !== undefined && serverNow - written < neighbourMsMax
}

/** Ends the old pods of a marked workload where they have to end together. Otherwise it says what the workload still waits for. */
async function endOrWait(
  mark: Mark,
  { ref, workload }: Found,
  wanted: KubernetesSettings,
  cluster: Cluster,
  now: number,
): Promise<'ended' | readonly string[]> {
  const { shown, kind } = ref
  const stuck = isStuck(workload) ? 'has passed its progress deadline' : undefined
  const never = whyNeverDone(kind, workload, wanted.restart) ?? stuck
  const old = oldPods(await cluster.pods(workload), mark)
  // A controller that has not seen the mark would make pods of the old template again. So would one that never replaces them all.
  const seen = (workload.status?.observedGeneration ?? 0) >= workload.metadata.generation
  const together = wanted.restart === 'together' && kind !== 'Deployment' && never === undefined && seen
  const revisions = together ? revisionsOf(old, workload) : []
  if (revisions.length > 0 && isOpen(wanted.window, now)) {
    await cluster.endPods(workload, revisions)
    return 'ended'
  }
  const waiting: string[] = []
  if (revisions.length > 0) waiting.push(`the end of its pods waits for its window (${wanted.window})`)
  // Without an old pod somebody has deleted all of them.
  const replaced = workload.spec.updateStrategy?.type === 'OnDelete' && old.length === 0
  if (never !== undefined && !replaced) waiting.push(`${shown} ${never}`)
  else if (!isRolledOut(kind, workload)) waiting.push(`${shown} is being rolled out`)
  if (old.length > 0) waiting.push(`${shown} has ${shownPods(old)}`)
  return waiting
}

function shownPods(old: readonly Pod[]): string {
  const names = old.slice(0, 3).map(shownPod).join(', ')
  return `${old.length} old pod${old.length === 1 ? '' : 's'} (${names})`
}

const restartAgainMs = 3_600_000
/**
 * Whether a workload has had our mark and lost it: its pods have it, or all workloads were restarted once. Each mark is a rollout. Where something
 * sets the template back (a deployment tool that drops foreign annotations), the next mark comes only after an hour.
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
  const { items } = await cluster.pods(workload)
  return items.some((pod) => isOwned(pod, workload) && isMarkedBy(pod.metadata.annotations, mark))
}

function isOpen(text: string | undefined, now: number): boolean {
  const window = text === undefined ? undefined : parseWindow(text)
  return window === undefined || (typeof window !== 'string' && inWindow(window, now))
}

/** Names the workloads whose pods never read the Secret again. Their templates may have changed since the preflight. */
export async function stillFrozen({ workloads }: KubernetesSettings, cluster: Cluster, externalSecret: ExternalSecret): Promise<string[]> {
  const frozen: string[] = []
  for (const ref of workloads.map(workloadRef).filter(isRestartable)) {
    const use = frozenUse(await cluster.workload(ref), secretNameOf(externalSecret))
    if (use !== undefined) frozen.push(shownFrozen(ref, use))
  }
  return frozen
}

/**
 * Names the Jobs and bare pods that started before the Secret was written. They read the Secret when they start, and we cannot start them again.
 */
export async function stillResting({ workloads }: KubernetesSettings, cluster: Cluster, written: number | undefined): Promise<string[]> {
  const waiting: string[] = []
  for (const ref of workloads.map(workloadRef).filter((one) => !isRestartable(one))) {
    const found = await cluster.resting(ref)
    // A missing one may not have ended: the name may be wrong.
    if (found === undefined) {
      waiting.push(`${ref.shown} is not there: remove it from this consumer, or correct its name`)
      continue
    }
    const startedAt = startOf(ref, found)
    const isNew = written !== undefined && startedAt !== undefined && startedAt > written
    if (hasEnded(found) || isNew) continue
    const next = ref.kind === 'Pod' ? ': delete it, and start another of that name' : ''
    waiting.push(`${ref.shown} started before, and has not ended${next}`)
  }
  return waiting
}

function startOf({ kind }: WorkloadRef, { status, metadata }: Resting): number | undefined {
  const { creationTimestamp: created } = metadata
  const time = kind === 'Job' ? (status?.startTime ?? created) : created
  return time === undefined ? undefined : Date.parse(time)
}

/** Kubernetes before 1.31 reports a Job as failed while its pods are still ending. */
function hasEnded({ status }: Resting): boolean {
  const running = (status?.active ?? 0) + (status?.terminating ?? 0)
  return running === 0 && saysEnded({ status })
}
function saysEnded({ status }: Pick<Resting, 'status'>): boolean {
  if (['Failed', 'Succeeded'].includes(status?.phase ?? '')) return true
  const ends = status?.conditions.filter(({ type }) => type === 'Complete' || type === 'Failed') ?? []
  return ends.some(({ status: is }) => is === 'True')
}

/** When the Secret was last written, by the server's clock; undefined where it does not say. */
export async function writtenAt(cluster: Cluster, externalSecret: ExternalSecret): Promise<number | undefined> {
  const secret = await cluster.secret(secretNameOf(externalSecret))
  const fields = secret?.metadata.managedFields ?? []
  const times = fields.map(({ time }) => Date.parse(time ?? '')).filter((time) => !Number.isNaN(time))
  return times.length === 0 ? undefined : Math.max(...times)
}
