import { codeOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Preflight } from '../../core/ports/notifier.js'
import type { SecretState, SecretView, Seen } from '../../core/ports/store.js'
import { guardNotifier } from '../guard/index.js'
import type { Checked, Deps } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import type { Tools } from '../secret/setup.js'
import { noteOf, notifierFor, saysElse } from './deliver.js'

const checkMsMax = 30_000

/** Why a consumer holds the next rotation. The last preflight said bad_config or held, for whatever publication; delivery_refused is about this one. */
export type Holding = 'bad_config' | 'held' | 'delivery_refused'
/** Whether a consumer holds the next rotation, and why; undefined where it does not. */
export function holdingCode(seen: Seen | undefined, { current }: SecretView): Holding | undefined {
  if (seen?.code === 'bad_config' || seen?.code === 'held') return seen.code
  return seen?.code === 'delivery_refused' && seen.version === current?.id ? seen.code : undefined
}

/** The reason of a refusal and what helps, in one text; undefined where the preflight refused nothing. */
export const reasonOf = (found: Preflight): string | undefined =>
  'next' in found ? `${found.why.replace(/\.$/, '')}. ${found.next}` : undefined
/** The code of what a preflight found: ok and unknown have none. */
export const codeOfFound = ({ verdict }: Preflight): 'bad_config' | 'held' | undefined =>
  (({ refuse: 'bad_config', wait: 'held', ok: undefined, unknown: undefined }) as const)[verdict]

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

/** An entry keeps the phase that was reached, and says beside it why the consumer could not follow. */
async function noteRefusals(tools: Tools, state: SecretState, checked: readonly Checked[]): Promise<void> {
  const { env, journal } = tools.deps
  if (state.current === undefined || !journal) return
  const fresh = { version: state.current.id, phase: 'failed', at: env.now() } as const
  const seen = state.journal?.seen
  const changed: Record<string, Seen> = {}
  for (const { consumer, found } of checked) {
    const now = found.verdict === 'unknown' ? undefined : noted(seen?.[consumer], found, fresh, tools)
    if (now !== undefined) changed[consumer] = now
  }
  if (Object.keys(changed).length === 0) return
  try {
    await tools.store.note(state, { seen: { ...seen, ...changed } })
  } catch (cause) {
    // Without the note the next look notes it.
    if (!['denied', 'conflict'].includes(codeOf(cause) ?? '')) throw cause
  }
}

/** The entry of a consumer after its preflight; undefined where it stays as it is. */
function noted(
  known: Seen | undefined,
  found: Exclude<Preflight, { readonly verdict: 'unknown' }>,
  fresh: Seen,
  { guard, deps }: Tools,
): Seen | undefined {
  const before = known?.code === 'bad_config' || known?.code === 'held' ? known.code : undefined
  if (found.verdict === 'ok') return known === undefined || before === undefined ? undefined : freed(known, deps.env.now())
  // The sweep asks it, about what is current: a rotation is no way to find out whether it can follow.
  const start = known === undefined || (found.asks && known.version !== fresh.version) ? fresh : known
  const mustAsk = found.asks === true && start.again === undefined
  const now: Seen = {
    ...start,
    ...(mustAsk ? { again: deps.env.now() } : {}),
    ...optional('code', codeOfFound(found)),
    evidence: noteOf(guard.redactor.clean(reasonOf(found) ?? '')),
  }
  return now.code === before && !mustAsk && !saysElse(known, now) ? undefined : now
}

/** The entry without what its last preflight found. One that was not told yet is told now; one that has arrived is asked no more. */
function freed({ code: _, evidence: __, again, ...rest }: Seen, now: number): Seen {
  if (rest.phase === 'failed') return { ...rest, again: now }
  return rest.phase === 'drained' ? rest : { ...rest, ...optional('again', again) }
}
