import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CloudTasksDouble } from './cloud-tasks.js'
import { ConnectProxy } from './connect-proxy.js'
import { MetadataServer } from './gcp-metadata.js'
import { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import { Authority } from './pg-certificates.js'
import { TlsFront } from './tls-front.js'

const work = 'https://work-abc.a.run.app/'

/**
 * A project of Google Cloud on loopback: Secret Manager, Cloud Tasks, the metadata server, and `env`, by which the processes of functions
 * find them under the names that Google's services have. `workIsAt` says where tasks are delivered.
 */
export class GoogleProject {
  readonly secrets: GcpSecretManagerDouble
  readonly tasks: CloudTasksDouble
  readonly metadata: MetadataServer
  /** How far the clocks of Secret Manager and Cloud Tasks are ahead of this machine's: what was made days ago was made while this was negative. */
  aheadMs = 0
  /** The environment of a function. */
  readonly env: Readonly<Record<string, string>>
  readonly #closing: readonly (() => Promise<unknown>)[]
  private constructor(
    { secrets, tasks, metadata }: Pick<GoogleProject, 'secrets' | 'tasks' | 'metadata'>,
    env: Readonly<Record<string, string>>,
    closing: readonly (() => Promise<unknown>)[],
  ) {
    this.secrets = secrets
    this.tasks = tasks
    this.metadata = metadata
    this.env = env
    this.#closing = closing
  }
  /** `ports` adds hosts of Google, and the ports of this machine that stand for them: `pubsub.googleapis.com`. */
  static async open(ports: Readonly<Record<string, number>> = {}): Promise<GoogleProject> {
    let opened: GoogleProject | undefined
    const now = () => Date.now() + (opened?.aheadMs ?? 0)
    const authority = new Authority()
    const secrets = await GcpSecretManagerDouble.open(now, { certificate: authority.issue(['DNS:secretmanager.googleapis.com']) })
    const tasks = await CloudTasksDouble.open(now)
    const metadata = await MetadataServer.open()
    const proxy = await ConnectProxy.open(secrets.port)
    const front = await TlsFront.open(authority, new Map(Object.entries({ 'cloudtasks.googleapis.com': tasks.address.port, ...ports })))
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-project-'))
    const ca = join(folder, 'ca.pem')
    await writeFile(ca, authority.ca)
    const [queue = ''] = tasks.queues
    const env = {
      grpc_proxy: proxy.url,
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: ca,
      NODE_EXTRA_CA_CERTS: ca,
      GOOGLE_CLOUD_PROJECT: 'p', // as the deployment sets it; else Google's library asks gcloud, where that is installed
      GCE_METADATA_HOST: metadata.host,
      KEYTURN_QUEUE: queue,
      KEYTURN_WORK_URL: work,
      KEYTURN_WORK_ACCOUNT: 'worker@p.iam.gserviceaccount.com',
      ...front.env,
    }
    const closing = [front, proxy, metadata, tasks, secrets].map((one) => () => one.close())
    opened = new GoogleProject({ secrets, tasks, metadata }, env, [...closing, () => rm(folder, { recursive: true })])
    return opened
  }
  /** Where tasks are delivered from now on: the URL of the function `work`. */
  workIsAt(url: string): void {
    const { port } = new URL(url)
    this.tasks.reaches.set(work, `http://127.0.0.1:${Number(port)}/`)
  }
  async close(): Promise<void> {
    for (const close of this.#closing) await close()
  }
}
