import type { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { status } from '@grpc/grpc-js'
import { codeOf } from '../../shared/core/errors.js'
import type { OpenClient } from '../../shared/stores/gcp-secret-manager/client.js'
import { currentProcess, reading } from './faults.js'
import { isWrite, type RpcName, rpcNames } from './gcp-secret-manager/rpcs.js'
import type { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import type { Watched } from './stores.js'

export type Effects = Parameters<Watched['open']>[1]

export interface WatchedClient {
  readonly double: GcpSecretManagerDouble
  readonly client: SecretManagerServiceClient
  readonly effects: Effects
  /** Whether the calls that only read are effects, too. */
  readonly reads: boolean
  /** Called before each call that is sent, and before one that a fault keeps from being sent. */
  readonly sends: (name: RpcName, request: unknown) => void
  /** Puts the clock of the double right for a call that does not go through its server. */
  readonly settles: () => void
}

/** An effect that fails for the process reaches the store as what a client throws where no answer came. */
const noAnswer = (cause: unknown): unknown =>
  ['ambiguous', 'unavailable'].includes(codeOf(cause) ?? '')
    ? Object.assign(new Error('14 UNAVAILABLE: no answer'), { code: status.UNAVAILABLE })
    : cause

/** The call that a method of the client makes; undefined for its other methods. */
const rpcOf = (method: string): RpcName | undefined =>
  rpcNames.find((name) => name.toLowerCase() === method.replace(/Async$/, '').toLowerCase())

/**
 * The vendor's client over the wire for processes, each call that writes an effect. Who looks on is no process, and asks the double without the wire:
 * it sees what is, however far behind the reads of processes are, and costs next to nothing.
 */
export function watchedClient(watched: WatchedClient): OpenClient {
  return () =>
    new Proxy(watched.client, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        const rpc = typeof name === 'string' && typeof member === 'function' ? rpcOf(name) : undefined
        if (typeof member !== 'function') return member
        if (rpc === undefined) return member.bind(target)
        const call = (given: unknown[]) => () => Reflect.apply(member, target, given)
        if (String(name).endsWith('Async')) return (...given: unknown[]) => listed(watched, rpc, given[0], call(given))
        return (...given: unknown[]) => answered(watched, rpc, given[0], call(given))
      },
    })
}

async function answered(watched: WatchedClient, rpc: RpcName, request: unknown, call: () => unknown): Promise<unknown> {
  if (currentProcess() !== undefined) return asEffect(watched, rpc, request, call)
  const answer = direct(watched, rpc, request)
  return rpc === 'ListSecrets' ? [onePage(answer), null, answer] : [answer]
}

async function* listed(watched: WatchedClient, rpc: RpcName, request: unknown, call: () => AsyncIterable<unknown>) {
  if (currentProcess() === undefined) return yield* onePage(direct(watched, rpc, request))
  const all = async () => {
    const found: unknown[] = []
    for await (const one of call()) found.push(one)
    return found
  }
  yield* await asEffect(watched, rpc, request, all)
}

async function asEffect<T>(watched: WatchedClient, rpc: RpcName, request: unknown, call: () => T): Promise<Awaited<T>> {
  const { effects, reads, sends } = watched
  const name = `${rpc.charAt(0).toLowerCase()}${rpc.slice(1)}`
  sends(rpc, request)
  if (!isWrite(rpc) && !reads) return await call()
  try {
    return await effects(isWrite(rpc) ? name : reading(name), call)
  } catch (cause) {
    throw noAnswer(cause)
  }
}

function direct({ double, settles }: WatchedClient, rpc: RpcName, request: unknown): unknown {
  settles()
  return Reflect.apply(double.do, double, [rpc, request])
}

function onePage(answer: unknown): readonly unknown[] {
  const { versions, secrets, nextPageToken } = answer as { versions?: unknown[]; secrets?: unknown[]; nextPageToken?: string }
  if (nextPageToken) throw new Error('Who looks on reads one page.')
  return versions ?? secrets ?? []
}
