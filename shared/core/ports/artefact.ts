import type { PublicText } from '../public-key.js'
import type { Env } from './env.js'

/** A place outside the stores that everybody may read: a file, a ConfigMap. By its type it takes only public text. */
export interface Artefact {
  /** Repeatable: a text that is already there is not written again. bad_config, denied, delivery_failed. */
  publish(text: PublicText, context: ArtefactContext): Promise<'written' | 'same'>
}

/** What a publication is given; `deadline` in epoch milliseconds. */
export interface ArtefactContext {
  readonly env: Env
  readonly deadline: number
  /** Every change goes through it, and is recorded before and after. */
  write(act: () => Promise<void>): Promise<void>
}
