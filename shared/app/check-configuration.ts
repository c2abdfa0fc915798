import { RotationError } from '../core/errors.js'
import type { SecretText } from '../core/secret-text.js'
import type { Configuration } from '../lifecycle/secret/deps.js'
import { refPrefixes } from '../stores/registry.js'
import { parseConfiguration } from './configuration.js'

/** What may stand before the colon in a companion. */
const known = { of: refPrefixes, at: [...refPrefixes, 'path', 'configmap'] }

/**
 * For a person who is about to store a configuration: parses it, and also names a store that nobody has. Whoever reads a stored one finds that out when
 * it opens the store, so that one wrong companion does not stop everything else. bad_config.
 */
export function checkConfiguration(text: SecretText): Configuration {
  const configuration = parseConfiguration(text)
  for (const [name, { of, at }] of Object.entries(configuration.companions)) {
    for (const [member, text] of [
      ['of', of],
      ['at', at],
    ] as const) {
      const store = text?.split(':')[0]
      if (store === undefined || known[member].includes(store)) continue
      const field = `companions.${name}.${member}`
      throw new RotationError('bad_config', `The configuration is wrong: ${field} names the unknown store ${store}.`, {
        field,
        next: `Correct the name. Known: ${known[member].join(', ')}.`,
      })
    }
  }
  return configuration
}
