import { RotationError } from '../../../core/errors.js'
import { fractionOf } from '../../../core/ids.js'
import { parseDuration, prefix, type Settings } from '../../../core/policy/index.js'
import type { SecretView } from '../../../core/ports/store.js'
import type { Policy, RotationRequest, SecretRef } from '../../../core/ports/words.js'

/** How often one part is rotated. */
export interface PartSchedule {
  readonly field: string
  readonly everyMs: number
}

/**
 * Where a part has a schedule of its own, those of all of them: the others have the secret's. undefined where none has. bad_policy where the
 * platform has one, which is for the whole secret, and for one that is not longer than the grace.
 */
export function partSchedules(
  policy: Policy,
  fields: readonly string[],
  { everyMs, graceMs }: Settings,
  { native, drivenBy }: Pick<SecretView, 'native' | 'drivenBy'>,
): readonly PartSchedule[] | undefined {
  const own = fields.filter((field) => policy[keyOf(field)] !== undefined)
  const [first] = own
  if (first === undefined) return undefined
  if ((native !== undefined && native.does !== 'notifies') || drivenBy === 'service')
    throw new RotationError('bad_policy', `${keyOf(first)}: the platform has one schedule for the whole secret.`, {
      field: keyOf(first),
      next: `Take it away, and set the platform's schedule; one part is rotated by hand: keyturn rotate <ref>#${first} --emergency --reason ….`,
    })
  return fields.flatMap((field) => {
    const text = policy[keyOf(field)]
    const ms = text === undefined ? everyMs : parseDuration(text)
    if (ms === undefined) return []
    if (ms > graceMs) return [{ field, everyMs: ms }]
    throw new RotationError('bad_policy', `${keyOf(field)} must be longer than ${prefix}grace.`, {
      field: keyOf(field),
      next: 'A rotation cannot start before the grace of the last one is over.',
    })
  })
}
const keyOf = (field: string): string => `${prefix}${field}-every`

/**
 * Nothing is kept of when each part changed: a part is due at fixed times, its period apart, that its name and the secret's spread. Whatever is
 * published after such a time has changed it, because every ordinary rotation takes along what is due.
 */
const turnOf = (ref: SecretRef, { field, everyMs }: PartSchedule, at: number): number =>
  Math.floor((at - phaseOf(ref, field, everyMs)) / everyMs)
const phaseOf = ({ store, key }: SecretRef, field: string, everyMs: number): number =>
  Math.floor(fractionOf(`${store}:${key}#${field}`) * everyMs)

/** The fields of the parts that have come due since the last publication. */
export const partsDue = (schedules: readonly PartSchedule[], { ref, publishedAt }: SecretView, now: number): readonly string[] =>
  schedules.filter((one) => turnOf(ref, one, now) > turnOf(ref, one, publishedAt)).map(({ field }) => field)

/** When the first of them is due after the last publication; undefined where none has a schedule. */
export function firstPartDue(schedules: readonly PartSchedule[], { ref, publishedAt }: SecretView): number | undefined {
  const times = schedules.map((one) => (turnOf(ref, one, publishedAt) + 1) * one.everyMs + phaseOf(ref, one.field, one.everyMs))
  return times.length === 0 ? undefined : Math.min(...times)
}

/** What a request asks to change. */
export type Wanted = Pick<RotationRequest, 'kind' | 'part' | 'due' | 'at'>

/**
 * The parts that one rotation changes; undefined: all of them. An ordinary one of a single part takes along what is due, an emergency does not.
 * None where what was published since answers the request; held where nothing is due any more, because the look that began it was old.
 */
export function chosenParts(
  { kind, part, due, at }: Wanted,
  schedules: readonly PartSchedule[] | undefined,
  state: SecretView,
  now: number,
): readonly string[] | undefined {
  if (part === undefined && (due === undefined || schedules === undefined)) return undefined
  const ripe = schedules === undefined || kind !== 'rotate' ? [] : partsDue(schedules, state, now)
  const chosen = part === undefined || ripe.includes(part) ? ripe : [part, ...ripe]
  const answered = state.publishedAt >= at && (state.previous !== undefined || state.current?.ours !== undefined)
  if (chosen.length > 0 || answered) return chosen
  throw new RotationError('held', `No part of ${state.ref.shown} is due.`, { next: 'Nothing is to be done: it was rotated meanwhile.' })
}
