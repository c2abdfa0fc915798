import type { AnyRotator } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'

/** Every credential of a value by name: several where it has parts. */
export const idsOf = ({ identify, identities }: AnyRotator, value: unknown): readonly CredentialId[] =>
  identities?.(value) ?? [identify(value)]
