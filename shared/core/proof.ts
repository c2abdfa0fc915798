import type { Proof, Rotator } from './ports/rotator.js'
import type { Policy } from './ports/words.js'

/** What proves a value of this kind under a policy. */
export const proofOf = ({ traits }: Pick<Rotator<unknown>, 'traits'>, policy: Policy): Proof => traits.proof?.(policy) ?? 'login'
