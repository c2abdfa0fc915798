import * as v from 'valibot'
import { RotationError } from '../core/errors.js'
import type { Change, Consumer, ConsumerState, Notifier, NotifierContext } from '../core/ports/notifier.js'
import { Busy } from '../kubernetes/client.js'
import { Cluster } from './kubernetes/cluster.js'
import type { ExternalSecret } from './kubernetes/objects.js'
import { whyUnwritten } from './kubernetes/operator.js'
import { preflight } from './kubernetes/preflight.js'
import { askedAgain, poke } from './kubernetes/request.js'
import { restart, stillFrozen, stillResting, writtenAt } from './kubernetes/restart.js'
import { type KubernetesSettings, wholeSettings } from './kubernetes/settings.js'
import { isSynced, sourceMark } from './kubernetes/sync.js'
import { whyNotHeld } from './kubernetes/verify.js'

const soonMs = 2000
const laterMs = 15_000

/**
 * External Secrets Operator and the workloads behind it. The operator is asked to sync, and seen to have synced. The Secret is compared with the
 * value. Each workload is restarted once for each publication. The consumer is drained when no old pod is left. Each call looks once and writes at
 * most once; only the cluster holds how far it is.
 */
const kubernetes: Notifier = {
  kind: 'kubernetes',
  preflight: async (consumer, context) => preflight(settingsOf(consumer), context),
  advance: async (change, consumer, context) => {
    const wanted = settingsOf(consumer)
    const cluster = await Cluster.open(wanted, context)
    try {
      return await step(change, wanted, cluster, context, consumer.several === true)
    } catch (cause) {
      if (!(cause instanceof Busy)) throw cause
      return { phase: 'failed', code: cause.code, evidence: cause.message, again: context.env.now() + cause.waitMs }
    }
  },
  classify: (cause) => (cause instanceof RotationError ? cause.code : 'internal'),
}

function settingsOf(consumer: Consumer): KubernetesSettings {
  const { key, settings } = consumer
  const result = v.safeParse(wholeSettings, JSON.parse(settings.reveal()))
  if (result.success) return { ...result.output, consumer: key }
  const where = v.getDotPath(result.issues[0]) ?? 'its top'
  throw new RotationError('bad_config', `The consumer ${key} is misconfigured at ${where}.`, {
    field: `consumers.${key}`,
    next: 'Correct the configuration secret; keyturn config check shows what is wrong.',
  })
}

async function step(
  change: Change,
  wanted: KubernetesSettings,
  cluster: Cluster,
  context: NotifierContext,
  several: boolean,
): Promise<ConsumerState> {
  const { env } = context
  const at = (phase: ConsumerState['phase'], evidence: string, waitMs = soonMs): ConsumerState => ({
    phase,
    evidence,
    again: env.now() + waitMs,
  })
  const mark = sourceMark(change, wanted)
  const poked = await poke(mark, wanted, cluster, env.now())
  if ('state' in poked) {
    const again = context.receipt?.phase === 'requested' && poked.marked === true
    if (!again) return at('requested', poked.state)
    return at('requested', `${poked.state} again: something removes our mark`, laterMs)
  }
  const { externalSecret } = poked
  const unwritten = await whyUnwritten(externalSecret, cluster)
  const synced = isSynced(externalSecret, mark)
  if (unwritten !== undefined) {
    const why = synced ? unwritten.why : `${unwritten.why}; ${notSynced}`
    const again = unwritten.asks && (await askedAgain(mark, wanted, cluster, externalSecret, context))
    const state = again ? at('requested', `${why}: asked to sync again`) : at('requested', why, laterMs)
    return unwritten.fix ? { ...state, code: 'bad_config' } : state
  }
  if (!synced) return at('requested', notSynced)
  const wrong = await whyNotHeld(change, externalSecret, wanted, cluster, context, several)
  if (wrong !== undefined) {
    const again = wrong.mayPass && (await askedAgain(mark, wanted, cluster, externalSecret, context))
    return again ? at('requested', `${wrong.why}: asked to sync again`) : at('synced', wrong.why, laterMs)
  }
  if (wanted.restart === 'none') return soak(wanted, cluster, externalSecret, env.now())
  return restart(change, wanted, cluster, externalSecret, at, context)
}

const notSynced = 'not synced since it was asked to'

/** Waits until pods have read the mounted file by themselves, counted from the last write of the Secret by the server's clock. Jobs and bare pods do not read it again. */
async function soak(wanted: KubernetesSettings, cluster: Cluster, externalSecret: ExternalSecret, now: number): Promise<ConsumerState> {
  const written = await writtenAt(cluster, externalSecret)
  const serverNow = cluster.serverNow
  if (written === undefined || serverNow === undefined)
    return { phase: 'verified', evidence: 'the server does not say when the Secret was written', again: now + laterMs }
  const waiting = [...(await stillFrozen(wanted, cluster, externalSecret)), ...(await stillResting(wanted, cluster, written))]
  const leftMs = written + wanted.soakSeconds * 1000 - serverNow
  if (leftMs > 0) waiting.push(`drained in ${Math.ceil(leftMs / 1000)} s`)
  if (waiting.length === 0) return { phase: 'drained', evidence: `the Secret has held it for ${wanted.soakSeconds} s` }
  const again = now + Math.max(leftMs, laterMs)
  return { phase: 'verified', evidence: waiting.join('; '), again }
}

/** Returns the same notifier each time: only the cluster holds how far a consumer is. */
export const create = (): Notifier => kubernetes
