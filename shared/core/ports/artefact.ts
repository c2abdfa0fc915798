import type { PublicText } from '../public-key.js'
import type { Env } from './env.js'

/** A place outside the stores where everybody reads: a file, a ConfigMap. It takes nothing but what is public, by type. */
export interface Artefact {
  /** Repeatable: what stands there already is left alone. bad_config, denied, delivery_failed. */
  publish(text: PublicText, context: ArtefactContext): Promise<'written' | 'same'>
}

/** What a publication is given; `deadline` in epoch milliseconds. */
export interface ArtefactContext {
  readonly env: Env
  readonly deadline: number
  /** What changes something goes through it: recorded before and after. */
  write(act: () => Promise<void>): Promise<void>
}
