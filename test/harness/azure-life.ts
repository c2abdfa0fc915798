import assert from 'node:assert/strict'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import { optional } from '../../shared/core/optional.js'
import type { PermissionsWish, Principal } from '../../shared/core/ports/permissions.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { noteSeen } from '../../shared/lifecycle/consumers/seen.js'
import { plan } from '../../shared/lifecycle/fleet/plan.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { adopt, changePolicy, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { permissionsOf } from '../../shared/stores/azure-key-vault/permissions.js'
import { AzureServices, openAzure, type Services } from './azure.js'
import { callsOfAz, containerId, Gate, type Held, heldAfter } from './azure-granted.js'
import type { FakeEnv } from './fake-env.js'
import { laterMs, World } from './world.js'

/** Where the parts of a secret's life are. */
export interface Variant {
  /** The vault of the staging places; absent: each is beside its secret. */
  readonly staging?: string
  /** The vault of the configuration. */
  readonly configured: string
}
export const members = {
  person: '00000000-0000-4000-8000-00000000000a',
  function: '00000000-0000-4000-8000-00000000000f',
  consumer: '00000000-0000-4000-8000-00000000000c',
}
export const administrator = 'azure:other/pg-admin'
const account = 'keyturnjournals'

/** The vault where the staging place of a secret of `vault` is. */
export const placeVault = ({ staging }: Variant, vault = 'app'): string => staging ?? vault
export const environmentOf = ({ staging }: Variant): Readonly<Record<string, string>> => ({
  KEYTURN_AZURE_VAULTS: 'app',
  KEYTURN_AZURE_STORAGE: account,
  ...optional('KEYTURN_AZURE_STAGING_VAULT', staging),
})
/** The wish that fits a variant. */
export const wishOf = ({ configured }: Variant, to: Principal): PermissionsWish => ({
  refText: 'azure:app/db',
  principals: [to],
  member: members[to],
  destroysLater: false,
  ...(to === 'consumer' ? {} : { administrator, configuration: `azure:${configured}/config` }),
})
/** What a principal has after the printed commands were run. */
export const granted = (variant: Variant, to: Principal): readonly Held[] =>
  heldAfter(callsOfAz(permissionsOf(wishOf(variant, to), environmentOf(variant)).lines('shell').join('\n')))

/** Services that refuse what was not granted, and whole lives of a secret in them. */
export class LifeUnderGrants {
  readonly gate = new Gate(containerId(account, 'keyturn')) // whatever the container of a life is called
  readonly #shared = new AzureServices()
  #services: (Services & { readonly container: string }) | undefined
  #worlds = 0

  stop = (): Promise<void> => this.#shared.stop()
  get services(): Services & { readonly container: string } {
    return this.#services ?? assert.fail('nothing lives yet')
  }

  /** Lives the life of `to`, with what everybody has; answers what was said, and what was thrown. */
  async live(variant: Variant, to: Principal, held: readonly Held[]): Promise<readonly string[]> {
    Object.assign(this.gate, { held, acting: members.person })
    this.gate.used.clear()
    const said: string[] = []
    try {
      await this.#live(variant, to, said)
    } catch (cause) {
      said.push(textOf(cause))
    }
    this.#services?.blobs.close()
    return said
  }
  async #live(variant: Variant, to: Principal, said: string[]): Promise<void> {
    const world = await World.open('b', (env) => this.#open(env, variant), `azure-grants-${++this.#worlds}`)
    await asPerson(world)
    this.gate.acting = members[to]
    if (to === 'consumer') return void (await world.store.readCurrent(world.ref.shown))
    await rotateAndRetire(world, said)
    await this.#cut(world)
    await rotate(world.deps('other'), requestOf(world))
    await look(world, variant, said)
    await this.#putConfiguration(variant)
    await readConfiguration(world, variant)
    if (to === 'function') return
    this.#deletePlace(variant)
    await recover(world.deps('recover'), world.store, world.ref.shown, true)
    await world.store.release(world.ref)
  }

  async #open(env: FakeEnv, variant: Variant) {
    const services = await this.#shared.open(env)
    const { double, blobs, azurite, container } = services
    this.#services = services
    double.addVault('other')
    double.writeForeign('pg-admin', 'an administrator', {}, 'other')
    double.writeForeign('config', '{}', {}, variant.configured)
    await azurite.client().createContainer(container)
    this.gate.close(double, blobs)
    const stagingHost = variant.staging && `${variant.staging}.vault.azure.net`
    return openAzure(services, env, { container, ...optional('stagingHost', stagingHost) })
  }
  /** A configuration that Keyturn writes at this moment: it has a staging place with a value, past every gate. */
  async #putConfiguration(variant: Variant): Promise<void> {
    const { double, azurite, container } = this.services
    const [token, of] = ['token-0123456789', `${variant.configured}.vault.azure.net/config`]
    const base = double.versions('config', variant.configured)[0]?.id ?? ''
    const tags = { 'keyturn-role': 'staging', 'keyturn-of': of, 'keyturn-token': token, 'keyturn-base': base, 'keyturn-kind': 'put' }
    const staged = double.writeForeign('config-pending', '{ }', { tags }, placeVault(variant, variant.configured))
    const rotation = { token, kind: 'put', base, holder: 'a person', attempt: 1, leaseUntil: 0, refusals: 0, staged: `pending-${staged}` }
    const text = JSON.stringify({ policy: {}, journal: { retiring: [], rotation } })
    await azurite.client().getContainerClient(container).getBlockBlobClient(of).upload(text, text.length)
  }
  /** Somebody deletes the staging place. */
  #deletePlace(variant: Variant): void {
    const { secrets } = this.services.double.vault(placeVault(variant))
    const place = secrets.get('db-pending') ?? assert.fail('there is no place')
    secrets.set('db-pending', { ...place, deletedAt: this.services.double.nowSeconds() })
  }
  /** A rotation that fails when its value is published, and whose lease is over. */
  async #cut(world: World): Promise<void> {
    const { double } = this.services
    double.fault = ({ name, staging }) => (name === 'SetSecret' && !staging ? { status: 400, code: 'BadParameter' } : undefined)
    await rotate(world.deps('cut'), requestOf(world)).catch(wantedError)
    double.fault = () => undefined
    world.env.time += laterMs
  }
}
const requestOf = ({ ref, env }: World) => ({ kind: 'rotate', ref: ref.shown, at: env.time }) as const

/** Passes on every error but the one that was asked for. */
function wantedError(cause: unknown): void {
  if (codeOf(cause) !== 'bad_event') throw cause
}
/** The error with all that it says. */
function textOf(cause: unknown): string {
  if (cause instanceof RotationError) return `${cause.code}: ${cause.message} ${cause.next}`
  return cause instanceof Error ? `${cause.message} ${cause.stack}` : String(cause)
}

async function asPerson(world: World): Promise<void> {
  const { store, ref } = world
  await store.release(ref)
  await adopt(world.deps('adopt'), store, ref.shown, { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b' })
  world.configuration = {
    ...noConfiguration,
    consumers: { shop: { key: 'shop', kind: 'manual', required: true, settings: new SecretText('{}') } },
  }
  await changePolicy(world.deps('policy'), store, ref.shown, { 'keyturn-consumers': 'shop', 'keyturn-grace': '1h' })
}

async function rotateAndRetire(world: World, said: string[]): Promise<void> {
  await settle(world, said)
  for (const _turn of [1, 2]) {
    await rotate(world.deps('rotate'), requestOf(world))
    await settle(world, said)
  }
}
async function settle(world: World, said: string[]): Promise<void> {
  await announce(world.deps('announce'), world.ref.shown)
  await noteSeen(world.deps('seen'), world.ref.shown, { consumer: 'shop', phase: 'drained' })
  world.env.time += laterMs * 8
  const { entries } = await retirePass(world.deps('retire'), world.ref.shown)
  for (const { state, why } of entries) said.push(`${state}: ${why}`)
}

/** Everything that only looks, and the pass over all secrets. */
async function look(world: World, variant: Variant, said: string[]): Promise<void> {
  const { store, ref } = world
  await verifyCurrent(world.deps('verify'), ref.shown)
  await statusOf(world.deps('status'), ref.shown)
  await store.readCurrent(administrator)
  await readConfiguration(world, variant)
  for await (const one of sweep(world.deps('sweep'))) said.push(`${one.code}: ${one.outcome}`)
  for await (const { ref: planned } of plan(world.deps('plan'))) said.push(`planned ${planned}`)
}

/** As the app does. */
async function readConfiguration({ store }: World, { configured }: Variant): Promise<void> {
  const { ref, current } = await store.describe(await store.resolve(`azure:${configured}/config`))
  await store.read(ref, current?.id ?? assert.fail('no configuration'))
}
