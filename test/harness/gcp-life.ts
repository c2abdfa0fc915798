import assert from 'node:assert/strict'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { status } from '@grpc/grpc-js'
import { codeOf } from '../../shared/core/errors.js'
import type { PermissionsWish, Principal } from '../../shared/core/ports/permissions.js'
import type { Policy } from '../../shared/core/ports/words.js'
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
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { permissionsOf } from '../../shared/stores/gcp-secret-manager/permissions.js'
import type { FakeEnv } from './fake-env.js'
import { callsOfGcloud, Gate, type Held, heldAfter } from './gcp-granted.js'
import { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import { laterMs, World } from './world.js'

/** What kind of secret lives. */
export interface Variant {
  readonly parent: string
  readonly destroysLater: boolean
  /** Consumers read by the alias, and none by the newest version. */
  readonly byAlias?: true
}
export const members = {
  person: 'user:ann@example.com',
  function: 'serviceAccount:rotator@p.iam.gserviceaccount.com',
  consumer: 'group:shop@example.com',
}
export const administrator = 'gcp:projects/q/secrets/pg-admin'
const token = 'token-0123456789'
export const configuration = 'gcp:projects/p/secrets/config'

/** The wish that fits a variant. */
export const wishOf = ({ parent, destroysLater }: Variant, to: Principal): PermissionsWish => ({
  refText: `gcp:${parent}/secrets/db`,
  principals: [to],
  member: members[to],
  destroysLater,
  ...(to === 'consumer' ? {} : { administrator, configuration }),
})

/** A secret with a name of its own parent. */
class PlacedStore extends GcpSecretManagerAdmin {
  parent = ''
  override create(name: string, value: SecretText, policy: Policy) {
    return super.create(`gcp:${this.parent}/secrets/${name}`, value, policy)
  }
}

/** A double that refuses what was not granted, and whole lives of a secret in it. */
export class LifeUnderGrants {
  readonly double: GcpSecretManagerDouble
  readonly gate: Gate
  readonly #client: SecretManagerServiceClient
  #worlds = 0
  #now: () => number

  private constructor(double: GcpSecretManagerDouble, now: { of: () => number }) {
    this.double = double
    this.gate = new Gate(double)
    this.#client = new SecretManagerServiceClient(double.clientOptions)
    this.#now = now.of
    now.of = () => this.#now()
  }
  static async open(): Promise<LifeUnderGrants> {
    const now = { of: () => 0 }
    return new LifeUnderGrants(await GcpSecretManagerDouble.open(() => now.of()), now)
  }
  async close(): Promise<void> {
    await this.#client.close()
    await this.double.close()
  }

  /** What a principal has after the printed commands were run. */
  granted(variant: Variant, to: Principal): readonly Held[] {
    return heldAfter(callsOfGcloud(permissionsOf(wishOf(variant, to), {}).lines('shell').join('\n'), this.double.names), this.double.names)
  }

  /** Lives the life of `to`, with what everybody has; answers what was said, and what was thrown. */
  async live(variant: Variant, to: Principal, held: readonly Held[]): Promise<readonly string[]> {
    this.double.reset()
    Object.assign(this.gate, { held, acting: members.person })
    this.gate.used.clear()
    this.gate.close()
    const said: string[] = []
    try {
      await this.#live(variant, to, said)
    } catch (cause) {
      said.push(textOf(cause))
    }
    return said
  }

  async #live(variant: Variant, to: Principal, said: string[]): Promise<void> {
    this.#byOthers(() => {
      this.#make('q', 'pg-admin', 'an administrator')
      this.#make('p', 'config', '{}')
    })
    const world = await World.open('b', (env) => this.#store(env, variant), `gcp-grants-${++this.#worlds}`)
    await this.#asPerson(world, variant)
    this.gate.acting = members[to]
    if (to === 'consumer') return consume(world)
    await rotateAndRetire(world, said)
    await lag(world, this.double)
    await look(world, said)
    this.#byOthers(() => this.#putConfiguration())
    this.double.fault = ({ name }) => (name === 'ListSecretVersions' ? { staleWrites: 1 } : undefined)
    await readConfiguration(world)
    this.double.fault = () => undefined
    if (to === 'function') return
    await recover(world.deps('recover'), world.store, world.ref.shown, true)
    await world.store.release(world.ref)
  }

  /** Another secret, like one that is there. */
  makeAlike(name: string, like: string): void {
    const { secrets } = this.double
    secrets.set(name, { ...(secrets.get(like) ?? assert.fail(like)), name })
  }
  /** What others make, past every gate. */
  #byOthers(make: () => void): void {
    this.double.mayNot = () => false
    make()
    this.gate.close()
  }
  /** A configuration that Keyturn writes at this moment: it has a staging place with a value, and no listing shows what came last. */
  #putConfiguration(): void {
    const rotation = { token, kind: 'put', base: '1', holder: 'a person', attempt: 1, leaseUntil: 0, refusals: 0, staged: 'pending-1' }
    const annotations = { 'keyturn-state': JSON.stringify({ retiring: [], rotation }) }
    this.#make('p', 'config--pending', `${JSON.stringify({ token, base: '1' })}\n{}`, annotations)
    this.double.do('AddSecretVersion', { parent: 'projects/p/secrets/config', payload: { data: Buffer.from('{ }') } })
  }
  #make(project: string, secretId: string, text: string, annotations = {}): void {
    const secret = { replication: { automatic: {} }, annotations }
    this.double.do('CreateSecret', { parent: `projects/${project}`, secretId, secret })
    this.double.do('AddSecretVersion', { parent: `projects/${project}/secrets/${secretId}`, payload: { data: Buffer.from(text) } })
  }
  #store(env: FakeEnv, { parent }: Variant): PlacedStore {
    this.#now = env.now
    const store = new PlacedStore({ env, project: 'p', locations: ['europe-west1'], open: () => this.#client })
    store.parent = parent
    return store
  }
  async #asPerson(world: World, { destroysLater, byAlias }: Variant): Promise<void> {
    const { store, ref } = world
    await store.release(ref)
    await adopt(world.deps('adopt'), store, ref.shown, { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b' })
    if (byAlias) {
      await rotate(world.deps('first'), { kind: 'rotate', ref: ref.shown, at: world.env.time }) // a rotation makes the alias
      world.env.time += laterMs * 8
      await changePolicy(world.deps('policy'), store, ref.shown, { 'keyturn-aliases': 'only' })
    }
    world.configuration = {
      ...noConfiguration,
      consumers: { shop: { key: 'shop', kind: 'manual', required: true, settings: new SecretText('{}') } },
    }
    await changePolicy(world.deps('policy'), store, ref.shown, { 'keyturn-consumers': 'shop', 'keyturn-grace': '1h' })
    if (!destroysLater) return
    const secret = { name: ref.key, versionDestroyTtl: { seconds: 86_400 } }
    this.#byOthers(() => this.double.do('UpdateSecret', { secret, updateMask: { paths: ['version_destroy_ttl'] } }))
  }
}

/** The error with all that caused it. */
function textOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const code = 'code' in cause ? `${cause.code}: ` : ''
  return `${code}${cause.message}${cause instanceof assert.AssertionError ? (cause.stack ?? '') : ''}`
}

async function rotateAndRetire(world: World, said: string[]): Promise<void> {
  const settle = async (): Promise<void> => {
    await announce(world.deps('announce'), world.ref.shown)
    await noteSeen(world.deps('seen'), world.ref.shown, { consumer: 'shop', phase: 'drained' })
    world.env.time += laterMs * 8
    const { entries } = await retirePass(world.deps('retire'), world.ref.shown)
    for (const { state, why } of entries) said.push(`${state}: ${why}`)
  }
  await settle()
  for (const _turn of [1, 2]) {
    await rotate(world.deps('rotate'), { kind: 'rotate', ref: world.ref.shown, at: world.env.time })
    await settle()
  }
}

/** A rotation that fails when its value is staged, and goes on while no listing shows that value yet; nor the published one after it. */
async function lag(world: World, double: GcpSecretManagerDouble): Promise<void> {
  const request = { kind: 'rotate', ref: world.ref.shown } as const
  double.fault = ({ name, staging }) => (name === 'AddSecretVersion' && !staging ? { code: status.INVALID_ARGUMENT } : undefined)
  await rotate(world.deps('cut'), { ...request, at: world.env.time }).catch(wantedError)
  world.env.time += laterMs
  double.fault = ({ name, staging }) => (name === 'ListSecretVersions' && staging ? { staleWrites: 6 } : undefined)
  await rotate(world.deps('lag'), { ...request, at: world.env.time })
  double.fault = ({ name, staging }) => (name === 'ListSecretVersions' && !staging ? { staleWrites: 2 } : undefined)
  await statusOf(world.deps('lag'), world.ref.shown)
  double.fault = () => undefined
}

/** Passes on every error but the one that was asked for. */
function wantedError(cause: unknown): void {
  if (codeOf(cause) !== 'bad_event') throw cause
}

/** Everything that only looks, and the pass over all secrets. */
async function look(world: World, said: string[]): Promise<void> {
  const { store, ref } = world
  await verifyCurrent(world.deps('verify'), ref.shown)
  await statusOf(world.deps('status'), ref.shown)
  await store.readCurrent(administrator)
  await readConfiguration(world)
  for await (const one of sweep(world.deps('sweep'))) said.push(`${one.code}: ${one.outcome}`)
  for await (const { ref: planned } of plan(world.deps('plan'))) said.push(`planned ${planned}`)
}

/** As the app does. */
async function readConfiguration({ store }: World): Promise<void> {
  const { ref, current } = await store.describe(await store.resolve(configuration))
  await store.read(ref, current?.id ?? assert.fail('no configuration'))
}

/** Who reads the value needs one call. */
async function consume({ store, ref }: World): Promise<void> {
  await store.readCurrent(ref.shown)
}
