import * as v from 'valibot'
import { RotationError } from '../core/errors.js'
import type { Change, Notifier, NotifierContext, Target, TargetState } from '../core/ports/notifier.js'
import { Cluster } from './kubernetes/cluster.js'
import { holds, mappingOf } from './kubernetes/expected.js'
import type { ExternalSecret, Workload } from './kubernetes/objects.js'
import { preflight } from './kubernetes/preflight.js'
import { type KubernetesSettings, settings, wholeSettings } from './kubernetes/settings.js'
import { changeKey, forceSyncKey, isSynced, secretNameOf, whyNotWritten } from './kubernetes/sync.js'
import { isMarked, isRolledOut, isStuck, oldPods, type WorkloadRef, whyNeverDone, workloadRef } from './kubernetes/workload.js'

export { settings }

const soonMs = 2000
const laterMs = 15_000

/**
 * External Secrets Operator and the workloads behind it: poked, seen to be synced, the Secret compared with the value, each workload restarted once
 * a publication, and drained when no pod of before is left. Each call looks once and writes at most once; how far it is stands in the cluster alone.
 */
const kubernetes: Notifier = {
  kind: 'kubernetes',
  traits: { proves: 'drained' },
  preflight: async (target, context) => preflight(settingsOf(target), context),
  advance: async (change, target, context) => {
    const wanted = settingsOf(target)
    const cluster = await Cluster.open(wanted, context.env)
    try {
      return await step(change, wanted, cluster, context)
    } finally {
      cluster.close()
    }
  },
  classify: (cause) => (cause instanceof RotationError ? cause.code : 'internal'),
}

function settingsOf(target: Target): KubernetesSettings {
  const result = v.safeParse(wholeSettings, JSON.parse(target.settings.reveal()))
  if (result.success) return result.output
  throw new RotationError('bad_config', `The target ${target.key} is mis-set at ${v.getDotPath(result.issues[0]) ?? 'its top'}.`, {
    field: `targets.${target.key}`,
    next: 'Correct the configuration secret; keyturn config check shows what is wrong.',
  })
}

async function step(change: Change, wanted: KubernetesSettings, cluster: Cluster, context: NotifierContext): Promise<TargetState> {
  const { env } = context
  const at = (phase: TargetState['phase'], evidence: string, waitMs = soonMs): TargetState => ({
    phase,
    evidence,
    again: env.now() + waitMs,
  })
  const poked = await poke(change, wanted, cluster)
  if ('state' in poked) return at('requested', poked.state)
  const { externalSecret } = poked
  if (!isSynced(externalSecret)) return at('requested', 'not synced since it was asked to')
  const unwritten = whyNotWritten(externalSecret)
  if (unwritten !== undefined) return at('requested', unwritten, laterMs)
  const wrong = await whyNotHeld(change, externalSecret, wanted, cluster, context)
  if (wrong !== undefined) return at('synced', wrong, laterMs)
  return wanted.restart === 'none' ? soak(wanted, cluster, externalSecret, env.now()) : restart(change, wanted, cluster, at)
}

/** The one write of the first look: our mark on the ExternalSecret, or on the parent that passes it on. */
async function poke(
  change: Change,
  wanted: KubernetesSettings,
  cluster: Cluster,
): Promise<{ readonly state: string } | { readonly externalSecret: ExternalSecret }> {
  const parent = wanted.clusterExternalSecret
  const key = parent === undefined ? changeKey : forceSyncKey
  const name = parent === undefined ? wanted.externalSecret : await cluster.childName(parent)
  const externalSecret = name === undefined ? undefined : await cluster.externalSecret(name)
  if (externalSecret?.metadata.annotations[key] === change.id) return { externalSecret }
  if (parent !== undefined) {
    if ((await cluster.parentMark(parent)) === change.id) return { state: `${parent} is marked, its ExternalSecret not yet` }
    await cluster.markParent(parent, { [key]: change.id })
    return { state: `${parent} was asked to sync` }
  }
  if (externalSecret === undefined || name === undefined) throw cluster.missing('ExternalSecret', name ?? '')
  await cluster.markExternalSecret(name, { [key]: change.id })
  return { state: `${name} was asked to sync` }
}

async function whyNotHeld(
  { ref }: Change,
  externalSecret: ExternalSecret,
  wanted: KubernetesSettings,
  cluster: Cluster,
  { value }: NotifierContext,
): Promise<string | undefined> {
  const mapping = mappingOf(externalSecret, wanted.remoteKey ?? ref.shown.replace(/^[a-z0-9]+:/, ''))
  if ('why' in mapping) return `synced, but not to be verified: ${mapping.why}`
  const name = secretNameOf(externalSecret)
  const secret = await cluster.secret(name)
  if (secret === undefined) return `the Secret ${name} is not there`
  if (value === undefined) return 'synced, but not to be verified: the value is not known here'
  return holds(secret, mapping, await value()) ? undefined : `the Secret ${name} holds another value`
}

/** One workload a look; then whether all of them are rolled out, and no pod of before is left. */
async function restart(
  change: Change,
  { workloads }: KubernetesSettings,
  cluster: Cluster,
  at: (phase: TargetState['phase'], evidence: string, waitMs?: number) => TargetState,
): Promise<TargetState> {
  const found: { readonly ref: WorkloadRef; readonly workload: Workload }[] = []
  for (const ref of workloads.map(workloadRef)) {
    const workload = await cluster.workload(ref)
    if (isMarked(workload, change.id)) found.push({ ref, workload })
    else {
      await cluster.restart(ref, change.id)
      return at('verified', `${ref.shown} is restarted`)
    }
  }
  const waiting: string[] = []
  for (const { ref, workload } of found) {
    const never = whyNeverDone(workload) ?? (isStuck(workload) ? 'has passed its progress deadline' : undefined)
    if (never !== undefined) waiting.push(`${ref.shown} ${never}`)
    else if (!isRolledOut(ref.kind, workload)) waiting.push(`${ref.shown} is being rolled out`)
    const old = oldPods(await cluster.pods(workload), change.id)
    if (old.length > 0)
      waiting.push(`${ref.shown} has ${old.length} pod${old.length === 1 ? '' : 's'} of before (${old.slice(0, 3).join(', ')})`)
  }
  return waiting.length === 0
    ? { phase: 'drained', evidence: `no pod of before is left of ${workloads.join(', ')}` }
    : at('restarted', waiting.join('; '))
}

/** Pods read the mounted file by themselves: counted from the last write of the Secret, by the server's clock. */
async function soak(wanted: KubernetesSettings, cluster: Cluster, externalSecret: ExternalSecret, now: number): Promise<TargetState> {
  const secret = await cluster.secret(secretNameOf(externalSecret))
  const written = Math.max(
    ...(secret?.metadata.managedFields ?? []).map(({ time }) => Date.parse(time ?? '')).filter((time) => !Number.isNaN(time)),
  )
  if (!Number.isFinite(written))
    return { phase: 'verified', evidence: 'the server does not say when the Secret was written', again: now + laterMs }
  const until = written + wanted.soakSeconds * 1000
  return now >= until
    ? { phase: 'drained', evidence: `the Secret has held it for ${wanted.soakSeconds} s` }
    : { phase: 'verified', evidence: `drained at ${new Date(until).toISOString()}`, again: until }
}

export const create = (): Notifier => kubernetes
