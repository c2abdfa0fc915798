import { prefix } from '../../../core/policy/index.js'
import type { Policy } from '../../../core/ports/words.js'
import { quoted } from '../../../core/shell-words.js'
import type { Found, Place } from './found.js'

/** What the module reads the project by before it enables the rest, and what `keyturn adopt` calls. */
const services = ['cloudresourcemanager.googleapis.com', 'serviceusage.googleapis.com', 'secretmanager.googleapis.com']

/** From a folder that was just written to a rotated secret. What a person must answer (`terraform apply`) stays a question. */
export function commandsOf({ project, region, folder, invoker }: Place, found: readonly Found[], policy: Policy): readonly string[] {
  const [first] = found
  const terraform = `terraform -chdir=${quoted(folder)}`
  const agent = (service: string): string => `gcloud beta services identity create --service=${service} --project=${project}`
  return [
    `gcloud services enable ${[...services, ...new Set(found.flatMap(({ more }) => more?.services ?? []))].join(' ')} --project=${project}`,
    agent('secretmanager.googleapis.com'),
    agent('pubsub.googleapis.com'),
    ...found.flatMap((one) => (one.adopted ? [] : [adoptCommand(one, policy)])),
    `${terraform} init`,
    `${terraform} apply`,
    `gcloud scheduler jobs run keyturn-sweep --location=${region} --project=${project}`,
    ...(first === undefined ? [] : [rotateCommand(first, terraform, invoker), `keyturn status ${first.shown}`]),
  ]
}

function adoptCommand({ shown }: Found, policy: Policy): string {
  const { 'keyturn-rotator': rotator, ...others } = policy
  const settings = Object.entries(others).map(([key, value]) => quoted(`${key.slice(prefix.length)}=${value}`))
  return ['keyturn adopt', shown, ...(rotator === undefined ? [] : ['--rotator', rotator]), ...settings].join(' ')
}

/** By the function `invoke` where somebody may call it; else with the person's own rights. */
function rotateCommand({ shown }: Found, terraform: string, invoker: string | undefined): string {
  if (invoker === undefined) return `keyturn rotate ${shown}`
  const body = quoted(JSON.stringify({ action: 'rotate', ref: shown }))
  // By a pipe: what stands on a command line can be read by every process of the machine.
  const token = "gcloud auth print-identity-token | sed 's/^/Authorization: Bearer /'"
  return `${token} | curl --fail-with-body --header @- --header 'Content-Type: application/json' --data ${body} "$(${terraform} output -raw invoke_url)"`
}
