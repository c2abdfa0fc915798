import { RotationError } from '../errors.js'
import { optional } from '../optional.js'
import type { PolicyKey, Strategy } from '../ports/rotator.js'
import type { Policy } from '../ports/words.js'
import { parseDuration } from './duration.js'
import { commonKeys } from './keys.js'
import { parseWindow, type Window } from './window.js'
import { nearest } from './words.js'

export const prefix = 'keyturn-'
const legal = /^[A-Za-z0-9 +\-=._:/@]{1,256}$/
const graceMsMin = 60_000
/** Old names of keys with their new names. An old name is refused, and the error gives the new one. */
export const renamed: ReadonlyMap<string, string> = new Map([['targets', 'consumers']])

/** The parsed policy. `policyText` gives a rotator its own keys, defaults included. */
export interface Settings {
  readonly rotator?: string
  readonly strategy?: Strategy
  readonly everyMs?: number
  readonly window?: Window
  readonly graceMs: number
  readonly mode: 'auto' | 'manual' | 'paused'
  readonly admin?: string
  readonly consumers: readonly string[]
  readonly companions: readonly string[]
  /** After this time a consumer that stays on the outgoing credential is left behind; never if absent. */
  readonly forceAfterMs?: number
  readonly owner?: string
}

/** What a policy is checked against besides the keys that all secrets have. */
export interface PolicyOptions {
  /** The rotator's own keys. undefined while the rotator is not known yet: unknown keys are then accepted. */
  readonly own?: readonly PolicyKey[]
  /** KEYTURN_SHORT_GRACE=1: for demonstrations and tests only. */
  readonly shortGrace: boolean
}

/** Parses a policy. bad_policy, with the key, if a key is unknown, a value is illegal, or two keys contradict each other. */
export function parsePolicy(policy: Policy, options: PolicyOptions): Settings {
  const known = [...commonKeys, ...(options.own ?? [])]
  for (const [key, value] of Object.entries(policy)) checkEntry(key, value, known, options.own !== undefined)
  const defaultOf = (name: string): string | undefined => commonKeys.find((key) => key.name === name)?.default
  const text = (name: string): string | undefined => policy[prefix + name] ?? defaultOf(name)
  const ms = (name: string): number | undefined => parseDuration(text(name) ?? '')
  const graceMs = ms('grace') ?? 0
  const everyMs = ms('every')
  if (graceMs < graceMsMin && !options.shortGrace) {
    failKey(
      'grace',
      `${text('grace')} is shorter than a minute`,
      'Give consumers at least 1m. KEYTURN_SHORT_GRACE=1 allows less, for demonstrations.',
    )
  }
  if (everyMs !== undefined && everyMs <= graceMs)
    failKey('every', 'must be longer than keyturn-grace', 'A rotation cannot start before the grace of the last one is over.')
  const window = parseWindow(text('window') ?? '')
  const forceAfterMs = parseDuration((text('drain') ?? '').replace('force after ', ''))
  const names = (key: string) => (text(key) ?? 'none').split(/ +/).filter((name) => name !== 'none' && name !== '')
  return {
    ...optional('rotator', text('rotator')),
    ...optional('strategy', text('strategy') as Strategy | undefined),
    ...optional('everyMs', everyMs),
    ...optional('admin', text('admin')),
    ...optional('owner', text('owner')),
    ...(typeof window === 'string' ? {} : { window }),
    ...optional('forceAfterMs', forceAfterMs),
    graceMs,
    mode: (text('mode') ?? 'auto') as Settings['mode'],
    consumers: names('consumers'),
    companions: names('companions'),
  }
}

/** A rotator's own key, or its default. */
export const policyText = (policy: Policy, key: PolicyKey): string | undefined => policy[prefix + key.name] ?? key.default

/** `all`: `known` is complete. Otherwise an unknown key may belong to a rotator that is not known yet. */
function checkEntry(key: string, value: string, known: readonly PolicyKey[], all: boolean): void {
  const name = key.startsWith(prefix) ? key.slice(prefix.length) : key
  const rule = known.find((entry) => entry.name === name)
  assertNotRenamed(key, name)
  if (!key.startsWith(prefix) || (!rule && all)) {
    const names = known.map((entry) => entry.name)
    const near = nearest(name, names)
    throw new RotationError('bad_policy', `The policy key ${key} is unknown.`, {
      field: key,
      next: `The nearest known key is ${prefix}${near}.`,
    })
  }
  if (!legal.test(value)) {
    const next = 'Use up to 256 of A-Z a-z 0-9, space and + - = . _ : / @, which every cloud allows in a tag.'
    throw new RotationError('bad_policy', `The value of the policy key ${key} is empty, too long or has an illegal character.`, {
      field: key,
      next,
    })
  }
  const wrong = rule?.check(value)
  if (wrong !== undefined) failKey(name, wrong, rule?.help === undefined ? 'Correct it.' : `Its meaning: ${rule.help}.`)
}

function assertNotRenamed(key: string, name: string): void {
  const now = renamed.get(name)
  if (now === undefined) return
  throw new RotationError('bad_policy', `The policy key ${key} is now called ${prefix}${now}.`, {
    field: key,
    next: `Change both at once: keyturn policy <ref> ${name}= ${now}=NAMES.`,
  })
}

function failKey(name: string, why: string, next: string): never {
  throw new RotationError('bad_policy', `The policy key ${prefix}${name} ${why}.`, { field: prefix + name, next })
}
