import type { Principal } from '../../../core/ports/permissions.js'
import { stagingField, storageField } from '../environment.js'
import { shownVault } from '../names.js'
import { placeName } from '../place.js'
import type { Binding, Named } from './grants.js'
import { accountVariable } from './scopes.js'

const who: Readonly<Record<Principal, string>> = {
  person: 'whoever runs keyturn at a command line, such as adopt, put, policy and recover',
  function: 'the identity of the function app that rotates',
  consumer: 'whoever reads the value',
}

/** What to know before granting: who is meant, what comes first, what is not among the grants. Each is one line. */
export function notesOf(bindings: readonly Binding[], named: Named, skipped: readonly string[]): readonly string[] {
  const principals = [...new Set(bindings.map(({ to }) => to))]
  const acts = principals.some((one) => one !== 'consumer')
  return [
    ...principals.map((one) => `${one}: ${who[one]}.`),
    ...(acts ? [orderNote(named), leftOut] : []),
    ...(acts && named.journals === undefined ? [keyNote] : []),
    ...skipped,
    placeNote(named),
    modelNote,
    ...(acts ? [countNote] : []),
  ]
}

function orderNote({ secret, stagingHost, journals }: Named): string {
  const { account = accountVariable, container } = journals ?? {}
  const steps = [
    ...(container === undefined
      ? []
      : [
          `the container ${container}: where it is not there, az storage container-rm create --storage-account ${account} --name ${container} makes it`,
        ]),
    'the grants of the person',
    'keyturn adopt, run by that person',
    `the grants of the function: one is on ${placeName(secret, stagingHost).secret}, which adopt makes`,
  ]
  return `Order: ${steps.map((step, index) => `${index + 1}. ${step}`).join(', ')}.`
}
const leftOut =
  'Not included: companions of the secret, and writing the configuration secret. Print the grants of each such secret by its own name.'
const keyNote = `Not included: the journals. ${storageField}, or the setting of the function app in its place, holds a key of the storage account, which may do everything there.`

/** Microsoft advises to assign roles on whole vaults; who follows that in the vault of the places gives untested values to consumers. */
const placeNote = ({ secret, stagingHost }: Named): string =>
  stagingHost === undefined || stagingHost === secret.host
    ? `Microsoft advises to assign roles on a whole vault. Here a consumer with such a role would read ${placeName(secret, stagingHost).secret}, too, which has untested values. What isolates them is a second vault: set ${stagingField}.`
    : `The staging places are in the vault ${shownVault(stagingHost)}: grant no consumer anything there.`
const modelNote =
  'A vault that uses access policies ignores these roles: az keyvault show --query properties.enableRbacAuthorization says true where they count. A new role takes some minutes.'
const countNote =
  'A subscription takes 4000 role assignments, and a function has two or three for each secret: with very many secrets, assign its roles on whole vaults.'
