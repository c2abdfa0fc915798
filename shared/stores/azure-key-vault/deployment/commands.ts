import { prefix as policyPrefix } from '../../../core/policy/index.js'
import type { Policy } from '../../../core/ports/words.js'
import { quoted } from '../../../core/shell-words.js'
import { stagingField, storageField } from '../environment.js'
import type { Found, Place } from './found.js'

/**
 * From a folder that was just written to a rotated secret. The module comes before keyturn adopt, which needs the staging vault and the account of the journals.
 * What a person must answer (`terraform apply`) stays a question.
 */
export function commandsOf(place: Place, found: readonly Found[], policy: Policy): readonly string[] {
  const [first] = found
  const terraform = `terraform -chdir=${quoted(place.folder)}`
  const output = (name: string): string => `"$(${terraform} output -raw ${name})"`
  return [
    'export ARM_SUBSCRIPTION_ID="$(az account show --query id --output tsv)"',
    `${terraform} init`,
    `${terraform} apply`,
    `export ${stagingField}=${output('staging_vault')} ${storageField}=${output('storage_account')}`,
    ...found.filter(({ name }, index) => found.findIndex((other) => other.name.host === name.host) === index).map(grantCommand),
    ...found.flatMap((one) => (one.adopted ? [] : [adoptCommand(one, policy)])),
    ...(first === undefined ? [] : [rotateCommand(first, place, output('invoke_url')), `keyturn status ${first.shown}`]),
  ]
}

/** The person's own rights, which are on whole vaults: one secret stands for all of its vault. */
const grantCommand = ({ shown }: Found): string =>
  `keyturn permissions ${shown} --for person --member "$(az ad signed-in-user show --query id --output tsv)" | bash`

function adoptCommand({ shown }: Found, policy: Policy): string {
  const { 'keyturn-rotator': rotator, ...others } = policy
  const settings = Object.entries(others).map(([key, value]) => quoted(`${key.slice(policyPrefix.length)}=${value}`))
  return ['keyturn adopt', shown, ...(rotator === undefined ? [] : ['--rotator', rotator]), ...settings].join(' ')
}

/** By the function `invoke` and a key of the host. By a pipe: what is on a command line can be read by every process of the machine. */
function rotateCommand({ shown }: Found, { prefix }: Place, url: string): string {
  const body = quoted(JSON.stringify({ action: 'rotate', ref: shown }))
  const key = `az functionapp keys list --name ${prefix}-fleet --resource-group ${prefix} --query functionKeys.default --output tsv`
  return `${key} | sed 's/^/x-functions-key: /' | curl --fail-with-body --header @- --header 'Content-Type: application/json' --data ${body} ${url}`
}
