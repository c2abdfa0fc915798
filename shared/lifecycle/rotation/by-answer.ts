import { proofOf } from '../../core/proof.js'
import type { Work } from './work.js'

/** Whether no password of this secret can be tried: only the answer to setting a value shows that it works. */
export const isByAnswer = ({ rotator, context }: Pick<Work, 'rotator' | 'context'>): boolean =>
  proofOf(rotator, context.policy) === 'answer'
