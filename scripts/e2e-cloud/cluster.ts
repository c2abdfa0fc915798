import { setTimeout as delay } from 'node:timers/promises'
import { minterToken, type Room } from '../../test/harness/kube/lab.js'
import { asSuper } from '../../test/harness/postgres-client.js'
import type { PostgresServer } from '../../test/harness/postgres-server.js'
import { firstPassword } from '../../test/harness/postgres-world.js'
import { type Application, applicationsOf } from '../e2e-cluster/applications.js'
import { type CloudWorld, loginAt, type Pods } from './world.js'

/** How the pods followed. Times in milliseconds, of this machine. */
export interface Followed {
  readonly secondsToDrain: number
  readonly pokeToSyncedMs: number
  /** Since when no pod uses the first login; not finite if one still does. */
  readonly leftAt: number
}
/** Between two logins of a pod, once nothing of it changes any more. */
const idleMs = 500
/** Of a rollout that takes some seconds. */
const msMax = 60_000

/**
 * A cluster whose pods log in without pause with what the operator wrote of the secret `pods`. Its API server knows the access token of the functions' account,
 * as that of the cloud does; by its Roles, as in infra/kubernetes/{gke,aks}.yaml, that account may only ask for tokens of another one. Operator and kubelet are stand-ins.
 */
export class Cluster implements Pods {
  readonly accessToken = minterToken
  readonly first: string
  readonly access: object
  readonly consumer: object
  /** Those of all pods that ever ran. */
  readonly applications: ReadonlyMap<string, Application>
  readonly #room: Room
  private constructor(room: Room, server: PostgresServer, auth: 'google' | 'azure') {
    const { api, ca } = room.lab
    this.#room = room
    this.first = loginAt(server, 'pods_a', firstPassword)
    room.value = this.first
    room.operator.refresh()
    this.access = { server: api.server, ca, auth, serviceAccount: `${room.namespace}/narrow` }
    this.consumer = { kind: 'kubernetes', required: true, namespace: room.namespace, externalSecret: 'db', workloads: ['Deployment/web'] }
    this.applications = applicationsOf(room, server)
  }
  /** Makes the two logins. The ExternalSecret of the room reads `pods`. */
  static async open(room: Room, server: PostgresServer, auth: 'google' | 'azure'): Promise<Cluster> {
    for (const role of ['pods_a', 'pods_b']) {
      await asSuper(server, `create role ${role} login password '${firstPassword}' in role app_owner`)
      await asSuper(server, `grant ${role} to keyturn_admin with admin option, inherit false, set false`)
      await asSuper(server, `alter role ${role} set role to 'app_owner'`)
    }
    await room.makeAccount('narrow')
    return new Cluster(room, server, auth)
  }
  async close(): Promise<void> {
    await Promise.all([...this.applications.values()].map((one) => one.end()))
  }

  /** Two pods start with the first login. Then a look finds a rotation due, and nobody but the queue calls a function until the pods are drained. No clock is moved. */
  async follow(world: CloudWorld): Promise<Followed> {
    const room = this.#room
    room.provider = async () => world.read('pods')
    await room.makeStore(true)
    await room.makeWorkload('Deployment')
    while (this.applications.size < 2) await delay(20)
    const old = [...this.applications.values()]
    const startedAt = Date.now()
    await world.look()
    const syncedAt = await this.#until(world, /\bpods (synced|verified|drained): /)
    await this.#until(world, /\bpods drained: /)
    await room.close() // nothing is restarted any more
    for (const one of this.applications.values()) one.pauseMs = idleMs
    const leftAt = Math.max(...old.map(({ endedAt = Number.POSITIVE_INFINITY }) => endedAt))
    const publishedAt = world.publishedAt('pods') ?? Number.NaN
    return { secondsToDrain: Number(((leftAt - startedAt) / 1000).toFixed(1)), pokeToSyncedMs: syncedAt - publishedAt, leftAt }
  }
  /** Resolves to when the function `work` said so. */
  async #until(world: CloudWorld, said: RegExp): Promise<number> {
    for (const end = Date.now() + msMax; !said.test(world.workLog); await delay(20)) {
      if (Date.now() > end) throw new Error(`The pods did not follow: ${world.workLog}`)
      await world.turn()
    }
    return Date.now()
  }

  /** What is written in the cluster, but for Secrets. */
  async written(): Promise<string> {
    const { lab, externalSecrets, workloadPath } = this.#room
    const own = await Promise.all([externalSecrets(), workloadPath('Deployment')].map((path) => lab.api.must('GET', path)))
    return JSON.stringify([own, await this.#room.pods()])
  }
}
