import { codeOf, RotationError } from '../../core/errors.js'
import type { Preflight } from '../../core/ports/notifier.js'
import type { SecretState, SecretView, Seen } from '../../core/ports/store.js'
import { guardNotifier } from '../guard/index.js'
import type { Deps } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import type { Tools } from '../secret/setup.js'
import { notifierFor } from './deliver.js'

/** What the preflight of one consumer found. */
export interface Checked {
  readonly consumer: string
  readonly found: Preflight
}
const checkMsMax = 30_000

/** Whether a consumer refuses this publication, or its last preflight found it misconfigured, for whatever publication. */
export function isRefusing(seen: Seen | undefined, { current }: SecretView): boolean {
  if (seen?.code === 'bad_config') return true
  return seen?.code === 'delivery_refused' && seen.version === current?.id
}

/**
 * Asks each required consumer, before a new credential is made, whether it could follow at all. Its entry notes what is certainly misconfigured:
 * `create` reads it there, even in a function that does not reach the cluster. A consumer that cannot be reached blocks nothing. Repeatable; writes
 * only what changed.
 */
export async function preflightPass(deps: Deps, refText: string): Promise<readonly Checked[]> {
  const { tools, ref, state, setup } = await openSecret(deps, refText)
  const { consumers } = await setup()
  const checked: Checked[] = []
  for (const consumer of consumers.filter(({ required }) => required)) {
    const loaded = await notifierFor(tools, consumer.kind)
    const notifier = guardNotifier(loaded, tools.guard, ref.shown)
    const context = { env: tools.guard.env, deadline: deps.env.now() + checkMsMax }
    const found = await attempt(() => notifier.preflight(consumer, context))
    checked.push({ consumer: consumer.key, found })
  }
  await noteRefusals(tools, state, checked)
  return checked
}

async function attempt(look: () => Promise<Preflight>): Promise<Preflight> {
  try {
    return await look()
  } catch (cause) {
    if (!(cause instanceof RotationError) || cause.code === 'audit_failed') throw cause
    const { message: why, next } = cause
    if (cause.code === 'bad_config') return { verdict: 'refuse', why, next }
    return { verdict: 'unknown', why }
  }
}

/** An entry keeps the phase that was reached, and says beside it that the consumer is misconfigured. */
async function noteRefusals(tools: Tools, state: SecretState, checked: readonly Checked[]): Promise<void> {
  const { env, journal } = tools.deps
  if (state.current === undefined || !journal) return
  const seen = state.journal?.seen
  const changed: Record<string, Seen> = {}
  for (const { consumer, found } of checked) {
    const known = seen?.[consumer]
    const refuses = found.verdict === 'refuse'
    const refused = known?.code === 'bad_config'
    if (found.verdict === 'unknown' || refuses === refused) continue
    const { code: _, ...rest } = known ?? { version: state.current.id, phase: 'failed', at: env.now() }
    if (refuses) changed[consumer] = { ...rest, code: 'bad_config' }
    else changed[consumer] = rest.phase === 'failed' ? { ...rest, again: env.now() } : rest
  }
  if (Object.keys(changed).length === 0) return
  try {
    await tools.store.note(state, { seen: { ...seen, ...changed } })
  } catch (cause) {
    // Without the note the next look notes it.
    if (!['denied', 'conflict'].includes(codeOf(cause) ?? '')) throw cause
  }
}
