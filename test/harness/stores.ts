import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import type { SecretRef, VersionId } from '../../shared/core/ports/words.js'
import type { SecretText } from '../../shared/core/secret-text.js'
import { createClient } from '../../shared/stores/aws-secrets-manager/api.js'
import { makeFolders } from '../../shared/stores/file/home.js'
import { deriveKeys } from '../../shared/stores/file/keys.js'
import { FileStore } from '../../shared/stores/file.js'
import type { Disturbance } from '../../shared/stores/memory/others.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import type { OpenableStore, OpenedStore } from '../../shared/stores/registry.js'
import { openAws } from './aws.js'
import { AzureServices, azureHarness } from './azure.js'
import { watchedAzure } from './azure-watched.js'
import { azuriteSkip } from './azurite.js'
import { effectStore } from './effect-store.js'
import { FakeEnv } from './fake-env.js'
import { gcpHarness } from './gcp.js'
import { watchedGcp } from './gcp-watched.js'
import { Moto, motoSkip } from './moto.js'
import { SecretsManagerDouble } from './secrets-manager.js'
import type { OpenStore, World } from './world.js'

export interface StoreHarness {
  readonly store: OpenedStore
  readonly env: FakeEnv
  /** What people write in front of a name. */
  readonly prefix: string
  /** Another instance for the same place, which knows nothing of what the others were asked; the same one where the instance is the place. */
  another(): OpenedStore
  /** Somebody writes a value past us, where the store can be written past us. */
  writeForeign?(ref: SecretRef, value: SecretText): VersionId | Promise<VersionId>
  close(): Promise<void>
}
export interface NamedStore {
  readonly name: string
  /** It keeps a journal with claims, leases and conditional notes. */
  readonly engine: boolean
  /** False where a version that nothing names any more can still be read by its id. */
  readonly forgets: boolean
  /** False where it keeps no time of publication beside the value: then it is the time when the version was made. */
  readonly tellsPublication: boolean
  /** Why nobody can write a value past us, where the harness has no way to. */
  readonly sealed?: string
  /** How the crash matrix watches each of its writes; absent where it has a matrix of its own. */
  readonly watched?: Watched
  /** What it says of times is by a clock of its own. */
  readonly ownClock?: true
  readonly skip?: string | false
  /** Tests of the contract that it does not keep, by title, and what it does instead: each is tried, and must still fail. */
  readonly deviations?: Readonly<Record<string, string>>
  open(): Promise<StoreHarness>
  /** After the last test. */
  end?(): Promise<void>
}

/** What one reader of a secret got: a value, or nothing. */
export interface Reading {
  readonly reader: string
  readonly text: string | undefined
}
/** All readers look. Who is told which version is current reads that one, as it was told at the look before. */
export type Readers = (current: VersionId | undefined) => readonly Reading[]

/** A store that the crash matrix can fail at each write. */
export interface Watched {
  readonly name: string
  /** A platform calls for one step at a time. */
  readonly serviceDriven: boolean
  /** Each write is an effect of its own and marks can be taken away: then pairs of crashes are tried, too, and targets that refuse values. */
  readonly memory: boolean
  open: OpenStore
  /** Loses its journal, as a foreign tool would; absent where the journal is in the same object as the value. */
  wipe?(world: World): void | Promise<void>
  /** What only a store without a condition does; absent for the others. */
  disturb?(world: World, event: Disturbance): void | Promise<void>
  /** The same store where each call is an effect, those that read, too. */
  readonly openReads?: OpenStore
  /** Who reads the secret with the platform's own means; absent where all read it as the engine does. */
  readers?(world: Pick<World, 'store' | 'ref'>): Readers
  /** Each of its calls goes over a wire: where a part of the matrix is drawn, less of it. */
  readonly slow?: true
  /** Where the whole matrix runs, one of so many of its points is tried: each goes through a server in another process. */
  readonly drawn?: number
  /** Nothing on a version says whose it is: where the journal is lost, nobody knows which token published it. */
  readonly bare?: true
  /** The journal and what is staged are in two places: either may go alone, and what was staged can be had back. */
  readonly apart?: true
  close?(): Promise<void>
}

const disturb = (world: World, event: Disturbance): void => (world.store as MemoryStore).disturb(world.ref, event)

const memory = (profile: ProfileName): NamedStore => ({
  name: `memory (${profile})`,
  watched: {
    name: profile,
    serviceDriven: profiles[profile].serviceDriven,
    memory: true,
    open: (env, effects) => new MemoryStore(env, profiles[profile], effects),
    wipe: (world) => (world.store as MemoryStore).wipeJournal(world.ref),
    ...(profiles[profile].publish === 'checked' ? { disturb } : {}),
    ...('bare' in profiles[profile] ? { bare: true } : {}),
    ...('apart' in profiles[profile] ? { apart: true } : {}),
  },
  engine: !profiles[profile].serviceDriven,
  forgets: true,
  tellsPublication: true,
  open: async () => {
    const env = new FakeEnv()
    const store = new MemoryStore(env, profiles[profile])
    return {
      store,
      env,
      prefix: 'memory:',
      another: () => store,
      writeForeign: (ref, value) => store.writeForeign(ref, value),
      close: async () => {},
    }
  },
})

/** The same against an emulator that others wrote. */
function moto(): NamedStore {
  let started: Promise<Moto> | undefined
  return {
    name: 'aws (moto)',
    engine: false,
    forgets: false,
    tellsPublication: false,
    skip: motoSkip,
    ownClock: true,
    deviations: {
      'stages the same value again as a no-op; of two values the stored one wins':
        'another value under the same token takes the place of the first; the service answers ResourceExistsException',
    },
    open: async () => {
      started ??= Moto.start()
      const { endpoint, reset } = await started
      await reset()
      const env = new FakeEnv()
      const store = openAws(endpoint, env)
      const client = createClient({ endpoint })
      const writeForeign = async (ref: SecretRef, value: SecretText): Promise<VersionId> =>
        (await client.send(new PutSecretValueCommand({ SecretId: ref.key, SecretString: value.reveal() }))).VersionId as VersionId
      return { store, env, prefix: 'aws:', another: () => openAws(endpoint, env), writeForeign, close: async () => client.destroy() }
    },
    end: async () => (await started)?.stop(),
  }
}

/** Vaults are a double, and blobs are on the vendor's emulator. */
function azure(): NamedStore {
  const services = new AzureServices()
  return {
    name: 'azure (double, Azurite)',
    engine: true,
    forgets: true,
    tellsPublication: true,
    skip: azuriteSkip,
    ...(azuriteSkip ? {} : { watched: watchedAzure() }),
    open: () => azureHarness(services),
    end: () => services.stop(),
  }
}

const [firstProfile, ...otherProfiles] = Object.keys(profiles) as [ProfileName, ...ProfileName[]]

/** The real one; its journal and values are one file, so that nobody can wipe one without the other. */
function watchedFile(): Watched {
  const homes: string[] = []
  return {
    name: 'file store',
    serviceDriven: false,
    memory: false,
    open: async (env, effects) => {
      const home = await mkdtemp(join(tmpdir(), 'keyturn-matrix-'))
      homes.push(home)
      await makeFolders(home)
      return effectStore(new FileStore(home, deriveKeys(randomBytes(32)), env), effects)
    },
    close: async () => {
      for (const home of homes.splice(0)) await rm(home, { recursive: true })
    },
  }
}

/** One entry a registered store: a store without one, or with an empty one, does not compile. */
export const storeHarnesses: Readonly<Record<OpenableStore, readonly [NamedStore, ...NamedStore[]]>> = {
  memory: [memory(firstProfile), ...otherProfiles.map(memory)],
  file: [
    {
      name: 'file',
      sealed: 'one encrypted file: nobody can write past its lock',
      watched: watchedFile(),
      engine: true,
      forgets: true,
      tellsPublication: true,
      open: async () => {
        const home = await mkdtemp(join(tmpdir(), 'keyturn-contract-'))
        await makeFolders(home)
        const env = new FakeEnv()
        const keys = deriveKeys(randomBytes(32))
        const another = () => new FileStore(home, keys, env)
        return {
          store: another(),
          another,
          env,
          prefix: 'file:',
          close: () => rm(home, { recursive: true }),
        }
      },
    },
  ],
  gcp: [
    {
      name: 'gcp (double)',
      watched: watchedGcp(),
      engine: true,
      forgets: true,
      tellsPublication: true,
      ownClock: true,
      open: () => gcpHarness(),
    },
  ],
  azure: [azure()],
  aws: [
    {
      name: 'aws (double)',
      engine: false,
      forgets: false,
      tellsPublication: false,
      open: async () => {
        const env = new FakeEnv()
        const double = await SecretsManagerDouble.open(env.now)
        const store = openAws(double.endpoint, env)
        return {
          store,
          another: () => openAws(double.endpoint, env),
          env,
          prefix: 'aws:',
          writeForeign: (ref, value) => {
            const token = double.newId()
            double.do('PutSecretValue', { SecretId: ref.key, ClientRequestToken: token, SecretString: value.reveal() })
            return token as VersionId
          },
          close: () => double.close(),
        }
      },
    },
    moto(),
  ],
}
