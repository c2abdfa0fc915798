import { RotationError } from '../core/errors.js'
import { nearest } from '../core/policy/words.js'
import type { AnyRotator } from '../core/ports/rotator.js'

/** One line a rotator; loaded only when a secret asks for it. */
export const rotators = {
  postgres: () => import('./postgres.js').then(({ create }) => create()),
  rds: () => import('./rds.js').then(({ create }) => create()),
  random: () => import('./random.js').then(({ create }) => create()),
  'secret-list': () => import('./secret-list.js').then(({ create }) => create()),
  keyring: () => import('./keyring.js').then(({ create }) => create()),
  jwt: () => import('./jwt.js').then(({ create }) => create()),
  'memory-a': () => import('./memory.js').then(({ create }) => create('A')),
  'memory-b': () => import('./memory.js').then(({ create }) => create('B')),
  'memory-c': () => import('./memory.js').then(({ create }) => create('C')),
  'memory-f': () => import('./memory.js').then(({ create }) => create('F')),
} satisfies Record<string, () => Promise<AnyRotator>>
type ResolveAdmin = typeof import('./rds/admin.js').resolveAdmin
/** Who can say more of an administrator's secret than it does itself, with the client of the rotator of the same name. */
const administrators: Readonly<Record<string, () => Promise<ResolveAdmin>>> = {
  rds: () => import('./rds/admin.js').then(({ resolveAdmin }) => resolveAdmin),
}
/** As it is where the rotator rds is not in this bundle. */
export const resolveAdmin: ResolveAdmin = async (admin, rotated, tags) => {
  const resolve = await administrators.rds?.()
  return resolve ? resolve(admin, rotated, tags) : admin
}

export type RotatorKind = keyof typeof rotators
export const rotatorKinds = Object.keys(rotators) as RotatorKind[]

const isKind = (kind: string): kind is RotatorKind => Object.hasOwn(rotators, kind)

/** bad_policy for a name that nobody registered. */
export async function loadRotator(kind: string): Promise<AnyRotator> {
  if (isKind(kind)) return rotators[kind]()
  const known = rotatorKinds.filter((name) => !name.startsWith('memory-')) // those are for trials
  throw new RotationError('bad_policy', `There is no rotator "${kind}".`, {
    field: 'keyturn-rotator',
    next: `The nearest known one is ${nearest(kind, known)}; known are ${known.join(', ')}.`,
  })
}
