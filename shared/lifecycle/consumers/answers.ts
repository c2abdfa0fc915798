import { type Code, codes } from '../../core/ports/errors.js'
import type { ConsumerPhase } from '../../core/ports/words.js'
import type { Delivery } from './deliver.js'

/** How far one consumer is, what shows it, and the code of what keeps it there: by its remedy a program tells what to correct from what to wait for. */
export interface Answered {
  readonly consumer: string
  readonly phase: ConsumerPhase
  readonly code: Code | null
  readonly evidence: string
}
/** What each consumer answered, for programs. */
export const answersOf = (told: readonly Delivery[]): readonly Answered[] =>
  told.map(({ consumer, seen, evidence }) => ({ consumer: consumer.key, phase: seen.phase, code: seen.code ?? null, evidence }))

/** The code of the first consumer that follows only once a person has corrected something; undefined where there is none. One that is not required may refuse for good. */
export function firstToCorrect(told: readonly Delivery[]): Code | undefined {
  const against = told.filter(({ consumer, seen }) => seen.code !== 'delivery_refused' || consumer.required)
  return against.flatMap(({ seen }) => seen.code ?? []).find((code) => codes[code] === 'fix' || codes[code] === 'human')
}
