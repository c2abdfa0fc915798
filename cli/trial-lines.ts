import { type Trial, warningsOf } from '../shared/lifecycle/secret/trial.js'
import type { Json } from './output.js'

/** What a trial found, for --json: the fields that a rotation rewrites, those of them that hold one text, and those that stay. null where nothing was tried. */
export const trialJson = (trial: Trial | undefined): { readonly [key: string]: Json | undefined } => ({
  rewrites: trial?.rewrites ?? null,
  shared: trial?.shared ?? null,
  stale: trial?.stale ?? null,
  outlook: trial?.outlook ?? null,
})

/** The same for people. */
export function trialLines(trial: Trial | undefined): readonly string[] {
  if (trial === undefined) return []
  return [
    ...(trial.outlook === undefined ? [] : [`${trial.outlook}.`]),
    `A rotation rewrites ${trial.rewrites.join(', ')}.`,
    ...warningsOf(trial).map(({ says, next }) => `Warning: ${says}. ${next}`),
  ]
}

/** Which fields a rotation has rewritten; the same words everywhere. */
export const rewroteLine = (fields: readonly string[]): string => `rewrote ${fields.join(', ')}`
