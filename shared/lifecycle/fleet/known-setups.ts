import { prefix } from '../../core/policy/index.js'
import type { SecretView } from '../../core/ports/store.js'
import { opened } from '../secret/open.js'
import type { Setup, Tools } from '../secret/setup.js'

/** How many policies are kept. A fleet has few that differ. */
const knownMax = 500

/**
 * The setups of one look, by what the secrets say of themselves: many secrets of a fleet have the same policy. Only for looking at what may be due: what acts
 * reads its setup again.
 */
export class KnownSetups {
  readonly #tools: Tools
  readonly #known = new Map<string, Setup>()
  constructor(tools: Tools) {
    this.#tools = tools
  }

  /** undefined: nobody has read it yet, or it does not follow from the policy alone. */
  of(state: SecretView): Setup | undefined {
    return this.#known.get(keyOf(state))
  }

  /** Reads it, and keeps it where every secret of this policy has the same. bad_policy, bad_config. */
  async read(state: SecretView): Promise<Setup> {
    const setup = await opened(this.#tools, state).setup()
    if (!isByPolicy(state, setup)) return setup
    if (this.#known.size >= knownMax) this.#known.clear()
    this.#known.set(keyOf(state), setup)
    return setup
  }
}

/** The schedule of a type is for what one of our rotations has published. */
const keyOf = ({ policy, current }: SecretView): string => `${current?.ours === undefined ? 'theirs' : 'ours'} ${JSON.stringify(policy)}`

/**
 * Whether nothing but the policy, and who published, decides: the policy names the rotator, and no part has a schedule of its own.
 */
const isByPolicy = ({ policy, drivenBy }: SecretView, { schedules }: Setup): boolean =>
  policy[`${prefix}rotator`] !== undefined && schedules === undefined && drivenBy === 'engine'
