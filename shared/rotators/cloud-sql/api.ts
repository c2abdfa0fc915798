import { listOf, membersOf, parsedJson, textOf } from '../../core/json.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import { RestClient } from '../../core/rest/client.js'
import type { Answer, Asked } from '../../core/rest/send.js'
import type { SecretText } from '../../core/secret-text.js'
import { Credentials } from '../../google/credentials.js'
import type { Operation } from '../control-plane/apply.js'
import { asTarget, isOfRule, isTransient, unreadableError } from '../control-plane/errors.js'
import { answerError, isBusy, type Question } from './errors.js'
import { type Place, shownPlace } from './policy.js'

/** What the Admin API says of an instance. */
export interface Instance {
  /** Such as POSTGRES_16 or MYSQL_8_0. */
  readonly version: string
  readonly state: string
  /** The primary, where it is a read replica. */
  readonly replicaOf: string | undefined
  readonly isStopped: boolean
  readonly addresses: readonly string[]
}
/** What the Admin API says of a login. */
export interface User {
  /** Such as BUILT_IN or CLOUD_IAM_USER. */
  readonly type: string
}
/** A change that the instance is at. */
export interface NamedOperation extends Operation {
  readonly name: string
}

const service = 'Cloud SQL'
const base = 'https://sqladmin.googleapis.com/v1'
const kept = new Map<string, Credentials>()

/** The calls of the Cloud SQL Admin API. A password is in the body of one of them, and nowhere else. https://cloud.google.com/sql/docs/postgres/admin-api/rest */
export class AdminApi {
  readonly #place: Place
  readonly #client: RestClient
  constructor(env: Env, place: Place) {
    const resource = shownPlace(place)
    const credentials = kept.get(place.project) ?? new Credentials(`projects/${place.project}`)
    kept.set(place.project, credentials)
    this.#place = place
    // Who calls repeats a call as a whole.
    this.#client = new RestClient({ env, service, resource, credentials, repetitions: 0 })
  }

  async instance(): Promise<Instance> {
    const found = await this.#read(this.#url(`instances/${this.#place.instance}`), { permission: 'cloudsql.instances.get' })
    const addresses = listOf(found.ipAddresses).map((one) => textOf(membersOf(one).ipAddress))
    return {
      version: textOf(found.databaseVersion),
      state: textOf(found.state),
      replicaOf: textOf(found.masterInstanceName) || undefined,
      isStopped: membersOf(found.settings).activationPolicy === 'NEVER',
      addresses: addresses.filter((address) => address !== ''),
    }
  }

  async user(name: string, host: string | undefined): Promise<User> {
    const url = this.#url(`instances/${this.#place.instance}/users/${encodeURIComponent(name)}`)
    if (host !== undefined) url.searchParams.set('host', host)
    const found = await this.#read(url, { permission: 'cloudsql.users.get', user: name })
    return { type: textOf(found.type) || 'BUILT_IN' }
  }

  /** Sets the password of a login that is there. undefined while the instance is at another operation: then nothing was sent that counts. */
  async setPassword(name: string, host: string | undefined, password: SecretText): Promise<NamedOperation | undefined> {
    const url = this.#url(`instances/${this.#place.instance}/users`)
    url.searchParams.set('name', name)
    if (host !== undefined) url.searchParams.set('host', host)
    const question = { place: this.#place, permission: 'cloudsql.users.update', user: name, sendsPassword: true } as const
    const asked = { url, method: 'PUT', body: JSON.stringify({ name, ...optional('host', host), password: password.reveal() }) } as const
    const answer = await this.#call(asked, question)
    return isBusy(answer) ? undefined : this.#operationIn(answer)
  }

  async operation(name: string): Promise<NamedOperation> {
    const question = { place: this.#place, permission: 'cloudsql.instances.get' } as const
    return this.#operationIn(await this.#call({ url: this.#url(`operations/${encodeURIComponent(name)}`) }, question))
  }

  #operationIn(answer: Answer): NamedOperation {
    const found = membersOf(parsedJson(answer.body))
    const [name, status] = [textOf(found.name), textOf(found.status)]
    if (name === '' || status === '') throw unreadableError(service, shownPlace(this.#place))
    const [first] = listOf(membersOf(found.error).errors).map(membersOf)
    if (first === undefined) return { name, isDone: status === 'DONE' }
    const code = /^\w{1,60}$/.test(textOf(first.code)) ? textOf(first.code) : undefined
    const isRefusal = code !== undefined && !isTransient(code) && isOfRule(textOf(first.message)) // the text is not passed on: it may quote what was sent
    return { name, isDone: status === 'DONE', failed: { code: code ?? 'no code', isRefusal } }
  }

  async #read(url: URL, question: Omit<Question, 'place'>): Promise<Readonly<Record<string, unknown>>> {
    const { body } = await this.#call({ url }, { place: this.#place, ...question })
    const found = parsedJson(body)
    if (typeof found === 'object' && found !== null) return membersOf(found)
    throw unreadableError(service, shownPlace(this.#place))
  }

  async #call(asked: Asked, question: Question): Promise<Answer> {
    try {
      return await this.#client.call(asked, { call: question.permission }, (answer) =>
        question.sendsPassword && isBusy(answer) ? undefined : answerError(answer, question),
      )
    } catch (cause) {
      throw asTarget(cause)
    }
  }

  #url(path: string): URL {
    return new URL(`${base}/projects/${encodeURIComponent(this.#place.project)}/${path}`)
  }
}
