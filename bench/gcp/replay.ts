import type { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { status } from '@grpc/grpc-js'
import { systemCodeOf } from '../../shared/core/errors.js'
import type { Call, GcpSecretManagerDouble } from '../../test/harness/gcp-secret-manager.js'

/** A call as a rotation made it, and how many versions its secret had then. */
interface Recorded {
  readonly name: string
  readonly request: Readonly<Record<string, unknown>>
  readonly versions: number
}

const versionsOf = (double: GcpSecretManagerDouble, secret: string | undefined): number =>
  double.secrets.get(secret ?? '')?.versions.length ?? 0

/** Notes every call that is made while `act` runs. */
export async function record(double: GcpSecretManagerDouble, act: () => Promise<void>): Promise<readonly Recorded[]> {
  const found: Recorded[] = []
  const { fault } = double
  double.fault = ({ name, request, secret }: Call) => {
    found.push({ name, request: JSON.parse(JSON.stringify(request)), versions: versionsOf(double, secret) })
    return undefined
  }
  try {
    await act()
  } finally {
    double.fault = fault
  }
  return found
}

/**
 * Makes the same calls for another secret, one after another, with the vendor's client alone: same payloads and maps, and versions that are as far from
 * the newest one as they were. Etags are left out: they would be others.
 */
export class Replay {
  readonly #double: GcpSecretManagerDouble
  readonly #client: SecretManagerServiceClient
  readonly #calls: readonly Recorded[]
  readonly #names: { readonly from: string; readonly to: string }

  constructor(
    { double, client }: { readonly double: GcpSecretManagerDouble; readonly client: SecretManagerServiceClient },
    calls: readonly Recorded[],
    names: { readonly from: string; readonly to: string },
  ) {
    this.#double = double
    this.#client = client
    this.#calls = calls
    this.#names = names
  }

  async run(): Promise<void> {
    for (const call of this.#calls) {
      const method: unknown = Reflect.get(this.#client, `${call.name[0]?.toLowerCase()}${call.name.slice(1)}`)
      if (typeof method !== 'function') throw new Error(`The client has no ${call.name}.`)
      try {
        await Reflect.apply(method, this.#client, [this.#requestFor(call), { retry: null, autoPaginate: false }])
      } catch (cause) {
        if (!isMissing(cause)) throw cause // whether there is a next version is asked by its number
      }
    }
  }

  #requestFor({ request, versions }: Recorded): unknown {
    const { from, to } = this.#names
    const renamed: Record<string, unknown> = JSON.parse(JSON.stringify(request).replaceAll(`/secrets/${from}`, `/secrets/${to}`))
    const about = [renamed.name, renamed.parent, propertyOf(renamed.secret, 'name')].find((one) => typeof one === 'string')
    const newest = versionsOf(this.#double, typeof about === 'string' ? about.replace(/\/versions\/.*$/, '') : undefined)
    const moved = (number: string): string => String(Number(number) - versions + newest)
    return JSON.parse(JSON.stringify(renamed), (key, value: unknown) => {
      if (key === 'etag') return undefined
      if (key === 'versionAliases') return mapped(value, moved)
      return key === 'name' && typeof value === 'string' ? value.replace(/(?<=\/versions\/)\d+$/, moved) : value
    })
  }
}

const isMissing = (cause: unknown): boolean => propertyOf(cause, 'code') === status.NOT_FOUND && systemCodeOf(cause) === undefined

const propertyOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined

const mapped = (value: unknown, change: (text: string) => string): unknown =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, change(String(one))]))
    : value
