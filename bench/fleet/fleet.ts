import type { FleetAction } from '../../shared/core/ports/queue.js'
import type { StoredSecret } from '../../test/harness/gcp-secret-manager/model.js'
import type { GcpSecretManagerDouble } from '../../test/harness/gcp-secret-manager.js'
import { type Kind, others, quiet } from './kinds.js'
import { configurationText, type Life } from './life.js'

/**
 * Where the staging places are in the listing, which is newest first. beside: each secret was adopted when it was made, so that its place is next to it ·
 * later: all secrets were made first, and adopted afterwards in another order.
 */
export type Layout = 'beside' | 'later'

/** One secret of this many is of each kind that is not quiet. */
const oneOf = 1000
export const configurationName = 'keyturn-config'
const parent = 'projects/123456789012/secrets/'
const nameAt = (index: number): string => `fleet-${String(index).padStart(7, '0')}`
/** 7919 has no divisor in common with 1000: each kind has one index of a thousand, and they are far from each other. */
const kindAt = (index: number): Kind => others[(index * 7919) % oneOf] ?? quiet

/** One thing that is due, as a task has it. */
export const dueKey = (ref: string, action: string): string => `${ref} ${action}`

export interface Expected {
  readonly due: ReadonlySet<string>
  readonly byAction: Readonly<Partial<Record<FleetAction, number>>>
  readonly failed: number
  /** How many secrets have calls of their own. */
  readonly described: number
}

/** What a look at such a fleet must find. */
export function expectedOf(secrets: number): Expected {
  const due = new Set<string>()
  const byAction: Partial<Record<FleetAction, number>> = {}
  let [failed, described] = [0, 0]
  for (let index = 0; index < secrets; index++) {
    const kind = kindAt(index)
    if (kind.fails) failed++
    if (!kind.listedOnly) described++
    for (const action of kind.due) {
      due.add(dueKey(`gcp:projects/p/secrets/${nameAt(index)}`, action))
      byAction[action] = (byAction[action] ?? 0) + 1
    }
  }
  return { due, byAction, failed, described }
}

interface Pair {
  readonly secret: StoredSecret
  readonly place: StoredSecret
}

/**
 * Fills the double with `secrets` managed secrets and their staging places, and with one secret of somebody else for each hundred. One of each kind lives its
 * life through the product's own code; the others are copies of it under names of their own.
 */
export async function fill(life: Life, { secrets, layout, now }: { secrets: number; layout: Layout; now: number }): Promise<void> {
  const pairs = new Map<Kind, Pair>()
  for (const [index, kind] of [quiet, ...others].entries()) pairs.set(kind, await lived(life, kind, `life-${index}`, now))
  const { double } = life
  double.secrets.clear()
  await life.create(configurationName, configurationText, now)
  life.time = now
  const pairAt = (index: number): Pair => pairs.get(kindAt(index)) ?? failKind(index)
  for (let index = 0; index < secrets; index++) {
    const { secret, place } = pairAt(index)
    copy(double, secret, nameAt(index))
    if (layout === 'beside') copy(double, place, `${nameAt(index)}--pending`)
    if (index % 100 === 0) copy(double, { ...secret, annotations: new Map() }, `plain-${index}`)
  }
  if (layout === 'beside') return
  for (const index of shuffled(secrets)) copy(double, pairAt(index).place, `${nameAt(index)}--pending`)
}

async function lived(life: Life, kind: Kind, name: string, now: number): Promise<Pair> {
  const ref = await life.create(name, JSON.stringify({ api_key: 'shop_live_6fT0bYwq2LmZ8RkV4cXn9HsJ' }), now - 100 * 86_400_000)
  await kind.live(life, ref, now)
  const [secret, place] = [life.double.secrets.get(ref.key), life.double.secrets.get(`${ref.key}--pending`)]
  if (secret === undefined || place === undefined) throw new Error(`${kind.name} has no staging place.`)
  return { secret, place }
}

/** Maps and versions are those of the one that lived: a look writes nothing. */
function copy(double: GcpSecretManagerDouble, from: StoredSecret, id: string): void {
  const name = parent + id
  double.secrets.set(name, { ...from, name, order: double.newOrder(), etag: double.newEtag() })
}

/** Every index once, each far from the one before, and always in the same order. */
function* shuffled(count: number): Iterable<number> {
  let step = Math.floor(count * 0.618) || 1
  while (divisor(step, count) !== 1) step++
  for (let n = 0, index = 0; n < count; n++, index = (index + step) % count) yield index
}
const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))

function failKind(index: number): never {
  throw new Error(`No secret has lived the life of number ${index}.`)
}
