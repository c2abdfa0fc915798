import { RotationError } from '../../../core/errors.js'
import { parseDuration, prefix } from '../../../core/policy/index.js'
import { commonKeys } from '../../../core/policy/keys.js'
import type { AnyRotator, PolicyKey } from '../../../core/ports/rotator.js'
import type { Policy } from '../../../core/ports/words.js'

export const partsKind = 'parts'
const partsKey = `${prefix}parts`

/** `admin_key=random db-password=postgres` → field and kind. bad_policy for a field that stands twice, or what is no field=rotator. */
export function parseParts(text: string): readonly (readonly [field: string, kind: string])[] {
  const pairs = text
    .split(/ +/)
    .filter((word) => word !== '')
    .map((word) => /^([A-Za-z][A-Za-z0-9_.-]{0,63})=([a-z][a-z0-9-]*)$/.exec(word) ?? failParts(`has "${word}", which is no field=rotator`))
    .map(([, field = '', kind = '']) => [field, kind] as const)
  if (pairs.length === 0) failParts('names no field')
  const twice = pairs.find(([field], index) => pairs.findIndex(([each]) => each === field) !== index)
  if (twice) failParts(`names the field ${twice[0]} twice`)
  return pairs
}

/** Throws bad_policy for keyturn-parts; `why` goes on after the name of the key. */
export function failParts(why: string, next = 'Write it as parts="field=rotator other_field=rotator".'): never {
  throw new RotationError('bad_policy', `${partsKey} ${why}.`, { field: partsKey, next })
}

/** Said once for the whole secret: what only that can have. */
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

/** The policy as the rotator of one part knows it: its own keys, and what is said for the whole secret and means something to a rotator. */
export function policyFor(policy: Policy, field: string, { about }: AnyRotator): Policy {
  const common = commonKeys.map(({ name }) => name).filter((name) => !whole.has(name) && name !== 'strategy')
  const own = [...about.policy.map(({ name }) => name), 'strategy']
  const entries = [
    ...common.map((name) => [name, policy[prefix + name]] as const),
    ...own.map((name) => [name, policy[`${prefix}${field}-${name}`]] as const),
    ...about.policy.flatMap(({ name, namesField }) => (namesField ? [[name, field] as const] : [])),
    ['every', policy[`${prefix}${field}-every`] ?? policy[`${prefix}every`]] as const,
  ]
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[prefix + name, value]])))
}

/** When anything may start is the secret's; and what overlaps is each part's. bad_policy with the key. */
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
  throw new RotationError('bad_policy', `${prefix}strategy is not said for a secret with parts.`, {
    field: `${prefix}strategy`,
    next: `Say it for each part: ${prefix}${fields[0]}-strategy.`,
  })
}

/** What a part refuses of its policy, by the keys that a person wrote: with the field in front. `own`: it has a schedule of its own. */
export function namedFor(field: string, { about }: AnyRotator, own: boolean, act: () => void): void {
  try {
    act()
  } catch (cause) {
    const key = cause instanceof RotationError && cause.field?.startsWith(prefix) ? cause.field.slice(prefix.length) : ''
    const isOwn = about.policy.some(({ name }) => name === key) || (key === 'every' && own)
    if (!(cause instanceof RotationError) || !isOwn) throw cause
    const shown = `${prefix}${field}-${key}`
    throw new RotationError(cause.code, cause.message.replace(`${prefix}${key}`, shown), { field: shown, next: cause.next, cause })
  }
}
