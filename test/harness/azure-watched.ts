import { Readable } from 'node:stream'
import type { HttpClient, PipelineRequest } from '@azure/core-rest-pipeline'
import { SecretClient } from '@azure/keyvault-secrets'
import { BlobServiceClient, RestError, StorageSharedKeyCredential } from '@azure/storage-blob'
import { codeOf } from '../../shared/core/errors.js'
import type { SecretRef, VersionId } from '../../shared/core/ports/words.js'
import type { SecretText } from '../../shared/core/secret-text.js'
import { AzureKeyVaultAdmin } from '../../shared/stores/azure-key-vault/admin.js'
import { blobOptions, type Opener, secretOptions } from '../../shared/stores/azure-key-vault/client.js'
import { type Services, writeForeign } from './azure.js'
import { disturbAzure, type Lag, lagging, readersOf, type Sent, wipeJournal } from './azure-watched-others.js'
import { Azurite, azuriteAccount, azuriteKey } from './azurite.js'
import { BlobFaults, blobCallOf } from './blob-faults.js'
import type { FakeEnv } from './fake-env.js'
import { currentProcess, reading } from './faults.js'
import { tokenOf } from './key-vault/client.js'
import { askedOf, isWrite } from './key-vault/operations.js'
import { KeyVaultDouble } from './key-vault.js'
import { OpenedPerProcess } from './opened-per-process.js'
import type { Watched } from './stores.js'
import type { World } from './world.js'

type Effects = Parameters<Watched['open']>[1]
const container = 'keyturn'

/** One emulator serves many worlds, and has one clock: each call is made alone, at the time of its world. */
class Turn {
  readonly #azurite: Azurite
  #last: Promise<unknown> = Promise.resolve()
  #setTo: number | undefined
  constructor(azurite: Azurite) {
    this.#azurite = azurite
  }
  at<T>(time: number, call: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => {
      if (this.#setTo !== time) await this.#azurite.setClock(time)
      this.#setTo = time
      return call()
    })
    this.#last = mine.catch(() => undefined)
    return mine
  }
}

/** An effect that fails for the process reaches the store as what a client throws where no answer came. */
const noAnswer = (cause: unknown): unknown =>
  ['ambiguous', 'unavailable'].includes(codeOf(cause) ?? '') ? new RestError('socket hang up', { code: 'ECONNRESET' }) : cause

interface Watching {
  readonly env: FakeEnv
  readonly effects: Effects
  /** Whether the calls that only read are effects, too. */
  readonly reads: boolean
}
/** A call of a process is an effect. Who looks on is no process. */
async function asEffect<T>({ effects, reads }: Watching, name: string, writes: boolean, call: () => Promise<T>): Promise<T> {
  if (currentProcess() === undefined || !(writes || reads)) return call()
  try {
    return await effects(writes ? name : reading(name), call)
  } catch (cause) {
    throw noAnswer(cause)
  }
}

type Request = Parameters<BlobFaults['sendRequest']>[0]
type Response = Awaited<ReturnType<BlobFaults['sendRequest']>>

class WatchedBlobs extends BlobFaults {
  readonly #turn: Turn
  readonly #watching: Watching
  /** What who looks on was answered, until something may have changed: it looks after every effect. */
  readonly #answers = new Map<string, { readonly answer: Response; readonly body: Buffer }>()
  constructor(azurite: Azurite, turn: Turn, watching: Watching) {
    super(azurite)
    this.#turn = turn
    this.#watching = watching
  }
  /** Somebody else has written. */
  forget = (): void => this.#answers.clear()
  override async sendRequest(request: Request): Promise<Response> {
    const { operation } = blobCallOf(request)
    const writes = !['read', 'look', 'list', 'container'].includes(operation)
    const send = () => this.#turn.at(this.#watching.env.time, () => super.sendRequest(request))
    if (operation === 'read' && currentProcess() === undefined) return this.#looked(request, send)
    try {
      return await asEffect(this.#watching, `blob.${operation}`, writes, send)
    } finally {
      if (writes) this.forget()
    }
  }
  async #looked(request: Request, send: () => Promise<Response>): Promise<Response> {
    const known = this.#answers.get(request.url) ?? (await whole(await send()))
    this.#answers.set(request.url, known)
    const { answer, body } = known
    const stream = answer.readableStreamBody === undefined ? {} : { readableStreamBody: Readable.from([body]) }
    return { ...answer, headers: answer.headers.clone(), ...stream, request }
  }
}

async function whole(answer: Response): Promise<{ readonly answer: Response; readonly body: Buffer }> {
  const chunks: Buffer[] = []
  for await (const chunk of answer.readableStreamBody ?? []) chunks.push(Buffer.from(chunk))
  return { answer, body: Buffer.concat(chunks) }
}

/** The first request of a client asks which token it needs: it has none, and is no effect. */
const watchedVaults = (double: KeyVaultDouble, watching: Watching, sent: Sent[]): HttpClient => ({
  async sendRequest(request: PipelineRequest) {
    const asked = askedOf({ method: request.method, url: new URL(request.url), authorization: undefined, body: '' })
    const send = () => double.httpClient.sendRequest(request)
    if (asked === undefined || request.headers.get('authorization') === undefined) return send()
    if (asked.name === 'SetSecret' && currentProcess() !== undefined && !double.isStaging(asked.secret ?? '', ''))
      sent.push(JSON.parse(String(request.body)) as Sent)
    return asEffect(watching, `${asked.name.charAt(0).toLowerCase()}${asked.name.slice(1)}`, isWrite(asked.name), send)
  },
})

/** The store, and the services that it is over. Each world is a vault of its own. */
export class WatchedAzure extends OpenedPerProcess {
  readonly double: KeyVaultDouble
  readonly services: Services
  readonly blobs: WatchedBlobs
  readonly sent: Sent[]
  lag: Lag | undefined
  constructor(services: Services & { readonly blobs: WatchedBlobs }, watching: Watching, sent: Sent[], vault: string) {
    const open: Opener = {
      secrets: (host) =>
        new SecretClient(`https://${host}`, tokenOf(), { ...secretOptions, httpClient: watchedVaults(services.double, watching, sent) }),
      container: (_storage, name) => {
        const key = new StorageSharedKeyCredential(azuriteAccount, azuriteKey)
        const client = new BlobServiceClient(services.azurite.endpoint, key, { ...blobOptions, ...services.blobs.options })
        return client.getContainerClient(name)
      },
    }
    const options = {
      env: watching.env,
      vaults: [`${vault}.vault.azure.net`],
      storage: { url: services.azurite.endpoint },
      container,
      open,
    }
    super(() => new AzureKeyVaultAdmin(options))
    this.double = services.double
    this.services = services
    this.blobs = services.blobs
    this.sent = sent
  }

  /** A copy of the version before is no publication of its own. */
  publications({ name }: SecretRef): number {
    const all = this.double.versions(name)
    const writer = (index: number): string => `${all[index]?.tags?.['keyturn-token']} ${all[index]?.value}`
    return all.filter(({ tags }, index) => tags?.['keyturn-token'] !== undefined && (index === 0 || writer(index) !== writer(index - 1)))
      .length
  }
  writeForeign(ref: SecretRef, value: SecretText): VersionId {
    return writeForeign(this.double, ref, value)
  }
}
export function watchedAzureOf({ store }: Pick<World, 'store'>): WatchedAzure {
  if (store instanceof WatchedAzure) return store
  throw new Error('The world has another store.')
}

class Worlds {
  #azurite: Promise<Azurite> | undefined
  #turn: Turn | undefined
  #worlds = 0
  #opened: BlobFaults[] = []

  async open(env: FakeEnv, effects: Effects, reads: boolean): Promise<WatchedAzure> {
    this.#azurite ??= Azurite.start()
    const azurite = await this.#azurite
    this.#turn ??= new Turn(azurite)
    const vault = `world-${++this.#worlds}`
    const double = KeyVaultDouble.inProcess(() => env.time, { vaults: [vault] })
    const watching = { env, effects, reads }
    const blobs = new WatchedBlobs(azurite, this.#turn, watching)
    this.#opened.push(blobs)
    const store = new WatchedAzure({ double, blobs, azurite }, watching, [], vault)
    double.fault = (call) => lagging(store.lag, call, double)
    return store
  }
  async close(): Promise<void> {
    for (const blobs of this.#opened.splice(0)) blobs.close()
    await (await this.#azurite)?.stop()
    this.#azurite = undefined
    this.#turn = undefined
  }
}

/** Past the clients that are watched. */
async function changed(world: World, act: (store: WatchedAzure) => Promise<void>): Promise<void> {
  const store = watchedAzureOf(world)
  await act(store)
  store.blobs.forget()
}

/** The store over the double and Azurite, for the crash matrix: each call of vault and blob that writes is an effect. */
export function watchedAzure(): Watched {
  const worlds = new Worlds()
  return {
    name: 'azure store',
    serviceDriven: false,
    memory: false,
    apart: true,
    slow: true,
    drawn: 8,
    open: (env, effects) => worlds.open(env, effects, false),
    openReads: (env, effects) => worlds.open(env, effects, true),
    wipe: (world) => changed(world, (store) => wipeJournal(store, world)),
    disturb: (world, event) => changed(world, (store) => disturbAzure(store, world, event)),
    readers: (world) => readersOf(watchedAzureOf(world), world),
    close: () => worlds.close(),
  }
}
