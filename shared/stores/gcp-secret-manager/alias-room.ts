import { RotationError } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import type { SecretRef } from '../../core/ports/words.js'
import { type Aliases, goesByAlias, ourAliases } from './aliases.js'
import type { Api } from './api.js'
import { classify } from './errors.js'
import { gcloudSecrets, type SecretName } from './names.js'
import type { Secret } from './wire.js'

/** The service takes so many aliases of one secret. Those of others count, too. */
const aliasesMax = 50

/** What writes the aliases of one claimed method. */
export interface AliasWrites {
  readonly api: Api
  readonly env: Pick<Env, 'log'>
  readonly ref: SecretRef
  readonly name: SecretName
  /** When the deadline of the write ends at the latest. */
  readonly until: number
}

/**
 * Writes the aliases in one update. A publication does not hang on them unless every consumer reads by the alias: what has no room beside those of
 * others is left out, `previous` first, and what the service refuses is left as it was. The log says so. bad_config where consumers read by an alias that
 * has no room.
 */
export async function writeAliases({ api, env, ref, name, until }: AliasWrites, secret: Secret, wanted: Aliases): Promise<void> {
  const aliases = fitting(wanted)
  const left = Object.keys(wanted).filter((alias) => !(alias in aliases))
  if (left.length > 0) env.log('aliases_full', { ref: ref.shown, aliases: left.join(' '), limit: aliasesMax })
  const ours = Object.values(ourAliases).filter((alias) => alias in aliases)
  if (ours.length === 0 && goesByAlias(secret)) throw noRoomError(ref, name)
  if (ours.length === 0) return
  try {
    await api.update(name, secret.etag, { aliases }, until)
  } catch (cause) {
    if (goesByAlias(secret) || classify(cause) !== 'bad_event') throw cause
    env.log('aliases_refused', { ref: ref.shown, aliases: ours.join(' ') })
  }
}

const noRoomError = ({ shown }: SecretRef, name: SecretName): RotationError =>
  new RotationError(
    'bad_config',
    `${shown} has ${aliasesMax} aliases of others, and no room for ${ourAliases.current}, by which consumers read.`,
    {
      field: 'version_aliases',
      next: `Remove one that nobody reads by: ${gcloudSecrets('update', name, '--remove-version-aliases=ALIAS')}. Then run the same command again.`,
    },
  )

/** The aliases without those of ours that have no room. Where `current` is there already, it has. */
function fitting(wanted: Aliases): Aliases {
  const { previous, current, ...others } = wanted
  const room = aliasesMax - Object.keys(others).length
  const first = room < 1 || current === undefined ? {} : { current }
  return { ...others, ...first, ...(room < 2 || previous === undefined ? {} : { previous }) }
}
