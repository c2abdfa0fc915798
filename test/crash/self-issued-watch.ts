import type { Policy } from '../../shared/core/ports/words.js'
import { wishOf } from '../../shared/rotators/jwt/policy.js'
import { hasPrivateMember } from '../harness/jwt-parties.js'
import type { SelfIssuedWorld } from '../harness/self-issued-world.js'

interface Key {
  readonly kid: string
  readonly private: { readonly d: string }
}
export interface Keys {
  readonly current?: Key | null
  readonly next?: { readonly kid: string } | null
  readonly previous?: { readonly kid: string } | null
}
export const kidsIn = (text: string): readonly string[] =>
  ((JSON.parse(text || '{}') as { keys?: { kid: string }[] }).keys ?? []).map(({ kid }) => kid)
/** From then on whoever serves it by time leaves the key out. */
const endOf = (text: string, kid: string): number | undefined =>
  ((JSON.parse(text || '{}') as { keys?: { kid: string; exp?: number }[] }).keys ?? []).find((key) => key.kid === kid)?.exp
export const kidsOf = ({ current, next, previous }: Keys): readonly string[] => [current, next, previous].flatMap((key) => key?.kid ?? [])

/** What verifiers may rely on, seen after each effect: how long each key has been public, and until when it has to stay. */
export class PublicSetWatch {
  readonly #since = new Map<string, number>()
  readonly #until = new Map<string, number>()
  /** Places that an emergency could not reach, or whose answer was lost: until they have the key that signs. */
  readonly #behind = new Set<string>()
  readonly #leadMs: number
  readonly #overlapMs: number

  constructor(policy: Policy) {
    const { leadMs, overlapMs } = wishOf(policy)
    this.#leadMs = leadMs
    this.#overlapMs = overlapMs
  }

  /** Asked for, and not published: sets may lose the key that leaked before the signer has another. */
  #emergency = false
  beginEmergency(): void {
    this.#emergency = true
  }

  look(world: SelfIssuedWorld, now: Keys, before: Keys, sets: ReadonlyMap<string, string>): string | undefined {
    const at = world.env.time
    const signs = now.current?.kid
    const changed = signs !== before.current?.kid
    const usual = before.current == null || (signs !== undefined && kidsOf(before).includes(signs))
    if (changed) this.#change(world, now, before, usual, sets)
    for (const [place, set] of sets) {
      const kids = kidsIn(set)
      if (hasPrivateMember(set || '{}')) return `a private member in ${place}`
      if (signs !== undefined && kids.includes(signs)) this.#behind.delete(place)
      if (this.#behind.has(place)) continue
      if (signs !== undefined && !kids.includes(signs) && !this.#emergency) return `${place} is without the key that signs`
      if (signs !== undefined && endOf(set, signs) !== undefined && !this.#emergency) return `${place} has an end for the key that signs`
      const gone = this.#emergency ? undefined : [...this.#until].find(([kid, until]) => until > at && !kids.includes(kid))
      if (gone !== undefined) return `${place} is without ${gone[0]}, whose tokens are accepted for another ${gone[1] - at} ms`
      const [since, first] = [this.#since.get(`${place} ${signs}`), before.current == null]
      if (changed && usual && !first && signs === before.next?.kid && at - (since ?? at) < this.#leadMs)
        return `${place} had the key that signs for ${at - (since ?? at)} ms of ${this.#leadMs}`
      for (const key of this.#since.keys())
        if (key.startsWith(`${place} `) && !kids.some((kid) => key === `${place} ${kid}`)) this.#since.delete(key)
      for (const kid of kids) this.#since.set(`${place} ${kid}`, this.#since.get(`${place} ${kid}`) ?? at)
    }
    return undefined
  }

  #change(world: SelfIssuedWorld, kids: Keys, before: Keys, usual: boolean, sets: ReadonlyMap<string, string>): void {
    if (!usual) {
      this.#emergency = false
      this.#until.clear() // what leaked is accepted nowhere any more
      // A place that could not be reached does not hold an emergency: it is told afterwards, again and again.
      const signs = kids.current?.kid
      for (const [place, set] of sets) if (signs !== undefined && !kidsIn(set).includes(signs)) this.#behind.add(place)
    } else if (before.current) this.#until.set(before.current.kid, world.env.time + this.#overlapMs)
  }
}
