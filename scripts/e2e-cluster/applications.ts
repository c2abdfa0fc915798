import { setTimeout as delay } from 'node:timers/promises'
import type { Room } from '../../test/harness/kube/lab.js'
import { logsIn } from '../../test/harness/postgres-client.js'
import type { PostgresServer } from '../../test/harness/postgres-server.js'

/** What an application logs in with. */
export interface Login {
  readonly username: string
  readonly password: string
}
/** One pod's application, from its start to its end. */
export class Application {
  logins = 0
  failures = 0
  endedAt: number | undefined
  /** Between two logins. */
  pauseMs = 50
  readonly login: Login
  readonly #server: PostgresServer
  readonly #running: Promise<void>
  constructor(server: PostgresServer, login: Login) {
    this.#server = server
    this.login = login
    this.#running = this.#run()
  }
  async #run(): Promise<void> {
    while (this.endedAt === undefined) {
      if (await logsIn(this.#server, this.login.username, this.login.password)) this.logins++
      else this.failures++
      await delay(this.pauseMs)
    }
  }
  end(): Promise<void> {
    this.endedAt ??= Date.now()
    return this.#running
  }
}

/** The applications of all pods, by the uid of the pod. Each logs in without pause with the Secret of its start. */
export function applicationsOf(room: Room, server: PostgresServer): ReadonlyMap<string, Application> {
  const running = new Map<string, Application>()
  const secret = `/api/v1/namespaces/${room.namespace}/secrets/db`
  room.kubelet.onStart = async ({ metadata }) => {
    const uid = metadata.uid ?? '' // a StatefulSet's pods come back under the same name
    if (running.has(uid)) return
    const { data } = (await room.lab.api.must('GET', secret)) as { data: Record<string, string> }
    const read = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('utf8')
    running.set(uid, new Application(server, { username: read('username'), password: read('password') }))
  }
  room.kubelet.onEnd = async ({ metadata }) => running.get(metadata.uid ?? '')?.end()
  return running
}
