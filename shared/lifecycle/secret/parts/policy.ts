import { RotationError } from '../../../core/errors.js'
import { parseDuration, prefix } from '../../../core/policy/index.js'
import { commonKeys } from '../../../core/policy/keys.js'
import type { AnyRotator, PolicyKey } from '../../../core/ports/rotator.js'
import type { Policy } from '../../../core/ports/words.js'

export const partsKind = 'parts'
const partsKey = `${prefix}parts`

type Pair = readonly [field: string, kind: string]
const pairForm = /^([A-Za-z][A-Za-z0-9_.-]{0,63})=([a-z][a-z0-9-]*)$/

/** `admin_key=random db-password=postgres` → field and kind. bad_policy for a field that is named twice, or a word that is not field=rotator. */
export function parseParts(text: string): readonly Pair[] {
  const words = text.split(/ +/).filter((word) => word !== '')
  const pairs = words.map(parsePair)
  if (pairs.length === 0) failParts('names no field')
  const twice = pairs.find(([field], index) => pairs.findIndex(([each]) => each === field) !== index)
  if (twice) failParts(`names the field ${twice[0]} twice`)
  return pairs
}

function parsePair(word: string): Pair {
  const match = pairForm.exec(word)
  if (match === null) return failParts(`has "${word}", which is not field=rotator`)
  const [, field = '', kind = ''] = match
  return [field, kind]
}

/** Throws bad_policy for keyturn-parts; `why` continues after the name of the key. */
export function failParts(why: string, next = 'Write it as parts="field=rotator other_field=rotator".'): never {
  throw new RotationError('bad_policy', `${partsKey} ${why}.`, { field: partsKey, next })
}

/** Keys that are set once for the whole secret. */
const whole = new Set(['every', 'window', 'grace', 'mode', 'consumers', 'companions', 'drain', 'owner', 'environment', 'parts', 'rotator'])
/** A part's own keys: those of its rotator and its strategy, with the field in front: `keyturn-admin_key-form`. */
export const keysOf = (field: string, { about }: AnyRotator): readonly PolicyKey[] => [
  ...about.policy.filter(({ namesField }) => !namesField).map((key) => ({ ...key, name: `${field}-${key.name}` })),
  {
    name: `${field}-strategy`,
    help: `how two credentials in ${field} overlap`,
    check: (value) => (about.strategies.some((one) => one === value) ? undefined : `must be one of ${about.strategies.join(', ')}`),
  },
  {
    name: `${field}-every`,
    help: `how often ${field} is rotated; only where the platform has no schedule of its own`,
    check: (value) => (parseDuration(value) === undefined ? 'must be a duration such as 90d' : undefined),
  },
]

/** The policy for the rotator of one part: its own keys, and those keys of the whole secret that concern a rotator. */
export function policyFor(policy: Policy, field: string, { about }: AnyRotator): Policy {
  const common = commonKeys.map(({ name }) => name).filter((name) => !whole.has(name) && name !== 'strategy')
  const own = [...about.policy.map(({ name }) => name), 'strategy']
  const entries = [
    ...common.map((name) => [name, policy[prefix + name]] as const),
    ...own.map((name) => [name, policy[`${prefix}${field}-${name}`]] as const),
    ...about.policy.flatMap(({ name, namesField }) => (namesField ? [[name, field] as const] : [])),
    ['every', policy[`${prefix}${field}-every`] ?? policy[`${prefix}every`]] as const,
  ]
  const present = entries.flatMap(([name, value]) => (value === undefined ? [] : [[prefix + name, value] as const]))
  return Object.fromEntries(present)
}

/** A window belongs to the whole secret, and a strategy to each part. bad_policy with the key. */
export function assertWhole(policy: Policy, fields: readonly string[]): void {
  for (const field of fields) {
    const key = `${prefix}${field}-window`
    if (policy[key] === undefined) continue
    throw new RotationError('bad_policy', `${key}: a part has no window of its own.`, {
      field: key,
      next: `Set ${prefix}window for the whole secret.`,
    })
  }
  if (policy[`${prefix}strategy`] === undefined) return
  throw new RotationError('bad_policy', `${prefix}strategy cannot be set for a secret with parts.`, {
    field: `${prefix}strategy`,
    next: `Set it for each part: ${prefix}${fields[0]}-strategy.`,
  })
}

/** A text about one part's rotator with the field in front of each key, as a person writes it. */
export const ownNames = (field: string, { policy }: AnyRotator['about'], text: string): string => {
  const names = [...policy.map(({ name }) => name), 'strategy', 'every'].join('|')
  return text.replaceAll(new RegExp(`${prefix}(${names})(?![a-z-])`, 'g'), `${prefix}${field}-$1`)
}

/** Reports what a part refuses of its policy under the key that a person wrote, which has the field in front. `own`: the part has its own schedule. */
export function namedFor(field: string, { about }: AnyRotator, own: boolean, act: () => void): void {
  try {
    act()
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    const key = cause.field?.startsWith(prefix) ? cause.field.slice(prefix.length) : ''
    const isOwn = about.policy.some(({ name }) => name === key) || (key === 'every' && own)
    if (!isOwn) throw cause
    const shown = `${prefix}${field}-${key}`
    const [message = '', next = ''] = [cause.message, cause.next].map((text) => ownNames(field, about, text))
    throw new RotationError(cause.code, message, { field: shown, next, cause })
  }
}
