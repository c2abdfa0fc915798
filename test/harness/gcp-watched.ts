import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { status } from '@grpc/grpc-js'
import { codeOf } from '../../shared/core/errors.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import type { OpenClient } from '../../shared/stores/gcp-secret-manager/client.js'
import type { GcpOptions } from '../../shared/stores/gcp-secret-manager.js'
import type { FakeEnv } from './fake-env.js'
import { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import type { Watched } from './stores.js'
import type { World } from './world.js'

type Effects = Parameters<Watched['open']>[1]

/** The double has one clock for all its secrets; here each project has one, that of its world. */
interface Generation {
  readonly double: GcpSecretManagerDouble
  readonly client: SecretManagerServiceClient
  readonly envs: Map<string, FakeEnv>
}

/** How many worlds one double serves: what it remembers of each call is then thrown away with it. */
const worldsMax = 40

async function openGeneration(): Promise<Generation> {
  const envs = new Map<string, FakeEnv>()
  let now = 0
  const double = await GcpSecretManagerDouble.open(() => now)
  double.fault = ({ resource }) => {
    now = envs.get(resource.split('/')[1] ?? '')?.time ?? now
    return undefined
  }
  return { double, client: new SecretManagerServiceClient(double.clientOptions), envs }
}

/** The calls that write, each an effect. An effect that fails for the process reaches the store as what a client throws where no answer came. */
const writing = [
  'addSecretVersion',
  'updateSecret',
  'disableSecretVersion',
  'destroySecretVersion',
  'createSecret',
  'deleteSecret',
] as const satisfies readonly (keyof SecretManagerServiceClient)[]

const noAnswer = (cause: unknown): unknown =>
  ['ambiguous', 'unavailable'].includes(codeOf(cause) ?? '')
    ? Object.assign(new Error('14 UNAVAILABLE: no answer'), { code: status.UNAVAILABLE })
    : cause

function watchedClient(client: SecretManagerServiceClient, effects: Effects): OpenClient {
  return () =>
    new Proxy(client, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        if (!writing.some((one) => one === name)) return member.bind(target)
        return async (...given: unknown[]) => {
          try {
            return await effects(String(name), () => Reflect.apply(member, target, given))
          } catch (cause) {
            throw noAnswer(cause)
          }
        }
      },
    })
}

/** The store, and the double that knows of each version what came before it. */
export class CountedStore extends GcpSecretManagerAdmin {
  readonly double: GcpSecretManagerDouble
  constructor(options: GcpOptions, double: GcpSecretManagerDouble) {
    super(options)
    this.double = double
  }

  /** The first version is nobody's rotation, and a copy of the version before is no publication of its own. */
  publications({ key }: SecretRef): number {
    const texts = this.double.secrets.get(key)?.versions.map(({ data }) => Buffer.from(data ?? '').toString()) ?? []
    return texts.filter((text, index) => index > 0 && text !== texts[index - 1]).length
  }
}

const end = async (open: Promise<Generation>): Promise<void> => {
  const { client, double } = await open
  await client.close()
  await double.close()
}

/** The store over the double, for the crash matrix: each call that writes is an effect. Each world is a project of its own. */
export function watchedGcp(): Watched {
  const generations: Promise<Generation>[] = []
  let worlds = 0
  let left = 0
  /** The last but one serves no world any more: many fewer than it served run at once. */
  const generation = async (): Promise<Generation> => {
    if (left === 0) {
      left = worldsMax
      generations.push(openGeneration())
    }
    left--
    const last = generations.at(-1) ?? openGeneration()
    for (const old of generations.splice(0, generations.length - 2)) await end(old)
    return last
  }
  return {
    name: 'gcp store',
    serviceDriven: false,
    memory: false,
    bare: true,
    slow: true,
    open: async (env, effects) => {
      const number = String(100_000_000_000 + ++worlds)
      const project = `world-${worlds}`
      const { double, client, envs } = await generation()
      double.names.projects.set(project, number)
      envs.set(number, env).set(project, env)
      return new CountedStore({ env, project, open: watchedClient(client, effects) }, double)
    },
    wipe: ({ store, ref }: World) => {
      if (!(store instanceof CountedStore)) throw new Error('The world has another store.')
      const secret = { name: `${ref.key}--pending`, annotations: {} }
      store.double.do('UpdateSecret', { secret, updateMask: { paths: ['annotations'] } })
    },
    close: async () => {
      left = 0
      for (const old of generations.splice(0)) await end(old)
    },
  }
}
