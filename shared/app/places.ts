import { configMapArtefact } from '../artefacts/configmap.js'
import { pathArtefact } from '../artefacts/path.js'
import { RotationError } from '../core/errors.js'
import { type ClusterSettings, configMapPlace } from '../kubernetes/settings.js'
import type { Deps, Place } from '../lifecycle/secret/deps.js'
import { namedIn } from './named-in.js'

/** Opens the place where a companion is written, in a store or outside the stores. bad_config for a place that does not exist here. */
export const placeOpener =
  (depsOf: (ref: string) => Promise<Deps>): NonNullable<Deps['openPlace']> =>
  async ({ name, at, settings }): Promise<Place> => {
    const [kind, place = ''] = [at.slice(0, at.indexOf(':')), at.slice(at.indexOf(':') + 1)]
    if (kind === 'path') {
      const { write } = JSON.parse(settings.reveal()) as { readonly write: 'rename' | 'plain' }
      if (place.startsWith('/')) return { artefact: pathArtefact(place, write, name) }
      throw new RotationError('bad_config', `The companion ${name} has a relative path: ${at}.`, {
        field: `companions.${name}.at`,
        next: 'Give the absolute path, such as path:/srv/jwks.json.',
      })
    }
    const map = kind === 'configmap' ? configMapPlace(place) : undefined
    if (map !== undefined) {
      const { access } = JSON.parse(settings.reveal()) as { readonly access: ClusterSettings }
      return { artefact: configMapArtefact(map, access, name) }
    }
    return namedIn({ what: `The companion ${name}`, field: `companions.${name}.at` }, async () => ({ deps: await depsOf(at) }))
  }
