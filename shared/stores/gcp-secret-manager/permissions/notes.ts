import type { Principal } from '../../../core/ports/permissions.js'
import type { SecretName } from '../names.js'
import { placeName } from '../place.js'
import type { Binding } from './grants.js'

const who: Readonly<Record<Principal, string>> = {
  person: 'whoever runs keyturn at a command line, such as adopt, put, policy and recover',
  function: 'the service account that runs keyturn sweep',
  consumer: 'whoever reads the value',
}

/** What to know before granting: who is meant, what comes first, what is not among the grants. Each is one line. */
export function notesOf(bindings: readonly Binding[], secret: SecretName, skipped: readonly string[]): readonly string[] {
  const principals = [...new Set(bindings.map(({ to }) => to))]
  const acts = principals.some((one) => one !== 'consumer')
  return [
    ...principals.map((one) => `${one}: ${who[one]}.`),
    ...(acts ? [orderNote(secret), ...leftOut] : []),
    ...skipped,
    ...(bindings.some(({ only }) => only !== undefined) ? conditionNotes : []),
  ]
}

const orderNote = (secret: SecretName): string =>
  `Order: 1. the grants of the person, 2. keyturn adopt, run by that person, 3. the grants of the function: one is on ${placeName(secret).secret}, which adopt makes.`
const leftOut = [
  'Not included: companions of the secret, and writing the configuration secret. Print the grants of each such secret by its own name.',
]
const conditionNotes = [
  'A policy takes at most 20 bindings of one role to one principal with different conditions: a project has no room for the 21st secret.',
  'Then, after keyturn adopt, grant these roles on the secret and on its staging place themselves, or name several secrets in one condition.',
]
