import { Credentials } from '../../azure/credentials.js'
import { codeIn } from '../../azure/refused.js'
import { membersOf, parsedJson, textOf } from '../../core/json.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import { RestClient } from '../../core/rest/client.js'
import type { Answer, Asked } from '../../core/rest/send.js'
import { retryAfterMs } from '../../core/retry-after.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Operation } from '../control-plane/apply.js'
import { asTarget, type Failure, unreadableError } from '../control-plane/errors.js'
import type { Engine } from '../control-plane/value.js'
import { answerError, isBusy, type Question, refusesPassword, service } from './errors.js'
import { engineOfPlace, type Place, shownPlace } from './policy.js'

/** What the service says of a server. */
export interface Server {
  /** Empty where it never had one. */
  readonly administrator: string
  /** Such as Ready, Updating or Stopped. */
  readonly state: string
  /** Such as None, Primary, AsyncReplica, Source or Replica. */
  readonly role: string
  /** Whether it is said that nobody logs in with a password. */
  readonly isWithoutPasswords: boolean
  readonly host: string
}
/** A change that the server is at. Its address carries a signature, so that it is shown nowhere. */
export interface ServerOperation extends Operation {
  readonly at: URL
  /** Whether the address answers with a status; else with 202 until the operation is over. */
  readonly hasStatus: boolean
}

const origin = 'https://management.azure.com'
/**
 * The interface of each engine. https://learn.microsoft.com/en-us/rest/api/postgresql/servers/update and
 * https://learn.microsoft.com/en-us/rest/api/mysql/flexibleserver/servers/update
 */
const versions: Readonly<Record<Engine, string>> = { postgres: '2025-08-01', mysql: '2023-12-30' }
const waitMsMin = 1000
const kept = new Map<string, Credentials>()

/** The calls of Azure Resource Manager about one flexible server. A password is in the body of one of them, and nowhere else. */
export class ManagementApi {
  readonly #place: Place
  readonly #env: Env
  readonly #client: RestClient
  constructor(env: Env, place: Place) {
    const resource = shownPlace(place)
    const credentials = kept.get(resource) ?? new Credentials(`${origin}/.default`, resource)
    kept.set(resource, credentials)
    this.#place = place
    this.#env = env
    // Who calls repeats a call as a whole.
    this.#client = new RestClient({ env, service, resource, credentials, repetitions: 0 })
  }

  async server(): Promise<Server> {
    const { body } = await this.#call({ url: this.#url() }, { place: this.#place, permission: this.#action('flexibleServers/read') })
    const found = membersOf(membersOf(parsedJson(body)).properties)
    const state = textOf(found.state)
    if (state === '') throw unreadableError(service, shownPlace(this.#place))
    return {
      administrator: textOf(found.administratorLogin),
      state,
      role: textOf(found.replicationRole),
      isWithoutPasswords: membersOf(found.authConfig).passwordAuth === 'Disabled',
      host: textOf(found.fullyQualifiedDomainName).toLowerCase(),
    }
  }

  /** Sets the password of the administrator `user`. undefined while the server is at another operation: then nothing was sent that counts. */
  async setPassword(user: string, password: SecretText): Promise<ServerOperation | undefined> {
    const body = JSON.stringify({ properties: { administratorLoginPassword: password.reveal() } })
    const question = { place: this.#place, permission: this.#action('flexibleServers/write'), setsFor: user } as const
    const answer = await this.#call({ url: this.#url(), method: 'PATCH', body }, question)
    return isBusy(answer) ? undefined : this.#begun(answer)
  }

  /** https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/async-operations */
  async operation({ at, hasStatus }: ServerOperation): Promise<ServerOperation> {
    const permission = this.#action(`locations/${hasStatus ? 'azureAsyncOperation' : 'operationResults'}/read`)
    const answer = await this.#call({ url: at }, { place: this.#place, permission, isOperation: true })
    const wait = this.#waitIn(answer)
    if (answer.status === tooMany) return { at, hasStatus, isDone: false, ...wait }
    if (!hasStatus) return { at, hasStatus, isDone: answer.status !== 202, ...wait }
    const found = membersOf(parsedJson(answer.body))
    const status = textOf(found.status)
    if (status === '') throw unreadableError(service, shownPlace(this.#place))
    const failed = /^(?:Failed|Canceled)$/i.test(status) ? failureIn(answer.body) : undefined
    return { at, hasStatus, isDone: /^Succeeded$/i.test(status), ...wait, ...optional('failed', failed) }
  }

  /** The first address is looked at: who has it says more than the second, which only tells that it is over. */
  #begun(answer: Answer): ServerOperation {
    const { 'azure-asyncoperation': status, location } = answer.headers
    const at = this.#followed(textOf(status) || textOf(location))
    if (at !== undefined) return { at, hasStatus: textOf(status) !== '', isDone: false, ...this.#waitIn(answer) }
    if (answer.status !== 200) throw unreadableError(service, shownPlace(this.#place))
    return { at: this.#url(), hasStatus: false, isDone: true }
  }

  /** The token goes to no other host than the one that it is for. */
  #followed(address: string): URL | undefined {
    if (address === '') return undefined
    if (URL.canParse(address) && new URL(address).origin === origin) return new URL(address)
    throw unreadableError(service, shownPlace(this.#place))
  }

  #waitIn({ headers }: Answer): { readonly waitMs?: number } {
    const asked = retryAfterMs(headers['retry-after'], this.#env.now())
    return asked === undefined ? {} : { waitMs: Math.max(asked, waitMsMin) }
  }

  async #call(asked: Asked, question: Question): Promise<Answer> {
    try {
      return await this.#client.call(asked, { call: question.permission }, (answer) =>
        isToWaitFor(answer, question) ? undefined : answerError(answer, question),
      )
    } catch (cause) {
      throw asTarget(cause)
    }
  }

  #action(rest: string): string {
    return `${this.#place.provider}/${rest}`
  }

  #url(): URL {
    const { subscription, group, provider, name } = this.#place
    const path = `/subscriptions/${subscription}/resourceGroups/${encodeURIComponent(group)}/providers/${provider}/flexibleServers/${name}`
    return new URL(`${origin}${path}?api-version=${versions[engineOfPlace(this.#place)]}`)
  }
}

const tooMany = 429
/** A server that is at another operation, and a look at ours that comes too often: neither says anything against what was sent. */
const isToWaitFor = (answer: Answer, { setsFor, isOperation }: Question): boolean =>
  (setsFor !== undefined && isBusy(answer)) || (isOperation === true && answer.status === tooMany)

/** The text is read and not passed on: it may quote what was sent. */
function failureIn(body: string): Failure {
  const code = codeIn(body)
  const text = textOf(membersOf(membersOf(parsedJson(body)).error).message)
  return { code: code || 'no code', isRefusal: refusesPassword(code, text) }
}
