import { optional } from '../../core/optional.js'
import { inWindow, type Settings } from '../../core/policy/index.js'
import type { AnyRotator } from '../../core/ports/rotator.js'
import type { SecretView } from '../../core/ports/store.js'
import type { Policy } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import { codeOfFound, holdingCode, reasonOf } from '../consumers/preflight.js'
import type { Facts, Refused } from '../decide/action.js'
import { wasEmergency } from '../decide/publication.js'
import type { Companion, Configuration } from '../secret/deps.js'
import { partsKind } from '../secret/parts/policy.js'
import type { Setup, Tools } from '../secret/setup.js'

/** What decide() knows besides the state. */
export function factsOf(
  tools: Tools,
  { settings, rotator, policy, consumers, companions, unknownConsumers, configuration }: Setup,
  state: SecretView,
): Facts {
  const { env } = tools.deps
  const frozen = frozenNow(settings, configuration, env.now())
  const against = consumers.flatMap(({ key, required }) => (required ? refusalOf(tools, state, key) : []))
  const written = companions.filter((one) => isWritten(one, state)).length
  const toTell = consumers.length + unknownConsumers.length - written
  const places = consumers.flatMap(({ key, place }) => (place === undefined ? [] : [[key, place] as const]))
  const thaw = settings.mode === 'paused' ? thawNext : undefined
  return {
    now: env.now(),
    ...(rotator ? { proves: true as const } : {}),
    ...(rotator && proofOf(rotator, policy) === 'answer' ? { byAnswer: true as const } : {}),
    slots: slotsOf(rotator, policy, state),
    ...(rotator?.traits.outside === false ? { selfIssued: true as const } : {}),
    ...(rotator?.about.kind === partsKind ? { parts: true as const } : {}),
    ...(rotator?.older ? { retains: true as const } : {}),
    graceMs: settings.graceMs,
    mints: rotator?.issuer !== undefined,
    journal: tools.deps.journal,
    consumers: toTell > 0,
    refused: against,
    places: Object.fromEntries(places),
    rollback: rotator?.traits.rollback(policy) ?? 'none',
    ...optional('frozen', frozen),
    ...optional('thaw', thaw),
  }
}
/** What one consumer has against a rotation. What was found just now counts before the notes. */
function refusalOf({ deps, guard }: Tools, state: SecretView, key: string): readonly Refused[] {
  const seen = state.journal?.seen?.[key]
  const found = deps.checked?.find(({ consumer }) => consumer === key)?.found
  if (found === undefined || found.verdict === 'unknown') return refused(key, holdingCode(seen, state), seen?.evidence)
  const stillRefuses = seen?.code === 'delivery_refused' ? holdingCode(seen, state) : undefined
  const reason = reasonOf(found)
  return refused(key, codeOfFound(found) ?? stillRefuses, reason === undefined ? seen?.evidence : guard.redactor.clean(reason))
}
const refused = (key: string, code: Refused['code'] | undefined, why: string | undefined): readonly Refused[] =>
  code === undefined ? [] : [{ key, code, ...optional('why', why) }]

const thawNext =
  'keyturn policy <ref> shows it. Run keyturn policy <ref> mode=auto when rotations may continue, or use --emergency --reason ….'

/** Whether a companion was written before the publication, so that it needs no announcement. An emergency may have skipped a place that was out of reach. */
const isWritten = ({ name, order }: Companion, state: SecretView): boolean => {
  const seen = state.journal?.seen?.[name]
  const missed = seen?.version === state.current?.id && seen?.phase === 'failed'
  return order === 'before' && !missed && !wasEmergency(state)
}

/** How many credentials may exist at a time. A key that leaves with this rotation makes room for the new one. */
function slotsOf(rotator: AnyRotator | undefined, policy: Policy, { journal }: SecretView): number | null {
  const slots = rotator ? rotator.traits.slots(policy) : 1
  if (slots === null || !rotator?.older) return slots
  const leaving = (journal?.retiring ?? []).filter((entry) => entry.state === 'armed')
  return slots + leaving.length
}

/** What keeps ordinary rotations from starting now, in words: a pause, a freeze or a closed window. */
export function frozenNow(settings: Settings, configuration: Configuration, now: number): string | undefined {
  if (configuration.paused) return 'the configuration secret says paused'
  if (settings.mode === 'paused') return 'keyturn-mode is paused'
  const freeze = configuration.freezes.find(({ from, to }) => now >= from && now < to)
  if (freeze) return `there is a freeze until ${new Date(freeze.to).toISOString()}: ${freeze.reason}`
  return settings.window && !inWindow(settings.window, now) ? 'it is outside the window of keyturn-window' : undefined
}
