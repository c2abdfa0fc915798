import { RotationError } from '../core/errors.js'
import { parsedJson } from '../core/json.js'
import type { Env } from '../core/ports/env.js'
import { RestClient } from '../core/rest/client.js'
import { Credentials } from './credentials.js'
import { type About, refusedError } from './refused.js'

/** `endpoint` is for tests: a stand-in on loopback. */
export interface RunServiceOptions {
  readonly env: Env
  /** projects/P/locations/L/services/S */
  readonly name: string
  readonly endpoint?: `http://127.0.0.1:${number}`
}

/** What a service of Cloud Run must be named as. */
export const runServiceForm = /^projects\/(?:[a-z0-9.-]+:)?[a-z0-9-]+\/locations\/[a-z0-9-]+\/services\/[a-z][a-z0-9-]{0,62}$/
const everybody = ['allUsers', 'allAuthenticatedUsers']

/** A service of Cloud Run, as which a function runs. It needs run.services.get and run.services.getIamPolicy on that service. */
export class RunService {
  readonly #name: string
  readonly #client: RestClient
  readonly #url: string
  constructor({ env, name, endpoint }: RunServiceOptions) {
    this.#name = name
    const credentials = new Credentials(name)
    this.#client = new RestClient({ env, service: 'Cloud Run', resource: name, credentials, timeoutMs: 4_000, repetitions: 0 }) // before any work: it must be quick
    this.#url = `${endpoint ?? 'https://run.googleapis.com'}/v2/${name}`
  }

  /**
   * Why everybody may call it; undefined where nobody may to whom it was not granted. Grants of the whole project are not seen. denied, bad_config,
   * unavailable, throttled.
   */
  async whyPublic(): Promise<string | undefined> {
    const { invokerIamDisabled } = await this.#get(this.#url, 'run.services.get')
    if (invokerIamDisabled === true) return 'it does not check who calls (invokerIamDisabled)'
    const { bindings } = await this.#get(`${this.#url}:getIamPolicy`, 'run.services.getIamPolicy')
    for (const binding of listOf(bindings)) {
      const { role, members } = membersOf(binding)
      const all = listOf(members).find((member) => typeof member === 'string' && everybody.includes(member))
      if (all !== undefined) return `${all} has ${typeof role === 'string' ? role : 'a role'} on it`
    }
    return undefined
  }

  async #get(url: string, permission: string): Promise<Readonly<Record<string, unknown>>> {
    const about = aboutService(this.#name, permission)
    const { body } = await this.#client.call({ url: new URL(url) }, { call: permission }, (answer) => refusedError(answer, about))
    const found = parsedJson(body)
    if (typeof found === 'object' && found !== null) return { ...found }
    throw new RotationError('unavailable', `Cloud Run gave no readable answer for ${this.#name}.`, { next: 'It is asked again later.' })
  }
}

const aboutService = (name: string, permission: string): About => ({
  service: 'Cloud Run',
  api: 'run.googleapis.com',
  resource: name,
  kind: 'service',
  permission,
  grant: `Grant a role with ${permission} on that service alone.`,
  make: 'Correct the name of the service.',
  check: 'Correct the name of the service.',
})

const membersOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {})
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
