import * as v from 'valibot'
import { codeOf } from '../../core/errors.js'
import type { Change, Consumer, NotifierContext } from '../../core/ports/notifier.js'
import type { Cluster } from './cluster.js'
import { whyNotWritten } from './operator.js'
import { findSource } from './request.js'
import { type KubernetesSettings, wholeSettings } from './settings.js'
import { isSynced, type Mark, sourceMark } from './sync.js'
import { whyNotHeld } from './verify.js'
import type { WorkloadRef } from './workload.js'

/**
 * Another consumer of the same secret that restarts the same workload for another ExternalSecret. ready: its Secret holds this publication. coming: it
 * is on its way. late: its operator fails, or nobody can verify it, so that nobody waits for it.
 */
export interface Neighbour {
  readonly name: string
  readonly mark: Mark
  readonly state: 'ready' | 'coming' | 'late'
}

/** The consumers with which a workload is restarted at once, as far as each of them is. Their marks are on the template already, or are written with ours. */
export async function neighboursOf(
  change: Change,
  ref: WorkloadRef,
  wanted: KubernetesSettings,
  cluster: Cluster,
  context: NotifierContext,
): Promise<readonly Neighbour[]> {
  const own = sourceMark(change, wanted)
  const found: Neighbour[] = []
  for (const consumer of context.beside ?? []) {
    const theirs = settingsBeside(consumer)
    if (theirs === undefined || !restartsToo(theirs, wanted, ref)) continue
    const mark = sourceMark(change, theirs)
    if (mark.key === own.key) continue
    const name = theirs.externalSecret ?? theirs.clusterExternalSecret ?? ''
    const state = await stateOf(change, mark, theirs, cluster, context, consumer.several === true)
    found.push({ name, mark, state })
  }
  return found
}

/** undefined for a consumer that is misconfigured: it says so itself. */
function settingsBeside({ key, settings }: Consumer): KubernetesSettings | undefined {
  const result = v.safeParse(wholeSettings, JSON.parse(settings.reveal()))
  return result.success ? { ...result.output, consumer: key } : undefined
}

/** One with a window of its own restarts the workload in it, by itself. */
const restartsToo = (theirs: KubernetesSettings, wanted: KubernetesSettings, { shown }: WorkloadRef): boolean =>
  (['cluster', 'namespace', 'restart', 'window'] as const).every((key) => theirs[key] === wanted[key]) && theirs.workloads.includes(shown)

async function stateOf(
  change: Change,
  mark: Mark,
  theirs: KubernetesSettings,
  cluster: Cluster,
  context: NotifierContext,
  several: boolean,
): Promise<Neighbour['state']> {
  try {
    const { externalSecret, asked } = await findSource(mark, theirs, cluster)
    if (externalSecret === undefined) return 'late'
    if (!asked) return 'coming'
    if (whyNotWritten(externalSecret) !== undefined) return 'late'
    if (!isSynced(externalSecret, mark)) return 'coming'
    const wrong = await whyNotHeld(change, externalSecret, theirs, cluster, context, several)
    if (wrong === undefined) return 'ready'
    return wrong.mayPass ? 'coming' : 'late'
  } catch (cause) {
    // It may have rights or objects that this consumer does not see.
    if (!['denied', 'bad_config'].includes(codeOf(cause) ?? '')) throw cause
    return 'late'
  }
}
