import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Authority } from '../pg-certificates.js'
import { repository } from '../repository.js'
import { KubeApi } from './api.js'

/** As envtest has it; else where the project's own CI puts them. */
const assets = process.env.KUBEBUILDER_ASSETS ?? join(repository, '.cache/kube')
export const kubeSkip =
  existsSync(join(assets, 'kube-apiserver')) && existsSync(join(assets, 'etcd'))
    ? false
    : 'no real Kubernetes: set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kube-controller-manager (setup-envtest use 1.35)'
export const managerSkip = kubeSkip || (existsSync(join(assets, 'kube-controller-manager')) ? false : 'no kube-controller-manager')

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  await Promise.all(servers.map((server) => once(server, 'close')))
  return ports
}

const controllers = [
  'deployment-controller',
  'replicaset-controller',
  'statefulset-controller',
  'daemonset-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'disruption-controller',
  'root-ca-certificate-publisher-controller',
  'validatingadmissionpolicy-status-controller',
]

const isOver = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

/** The programs of one server. Where one ends, all do: the API server goes on for a minute without the others. They end with this process, unless that is killed. */
class Programs {
  /** How the first of them ended: `etcd: 1`, `etcd: SIGKILL`; undefined while all run. */
  ended: string | undefined
  readonly #all: ChildProcess[] = []
  readonly #signal = (): void => {
    for (const one of [...this.#all].reverse()) one.kill('SIGKILL')
  }
  constructor() {
    process.once('exit', this.#signal)
  }
  start(name: string, ...flags: string[]): void {
    const child = spawn(join(assets, name), flags, { stdio: 'ignore', env: { PATH: process.env.PATH ?? '' } })
    child.once('exit', (code, signal) => {
      this.ended ??= `${name}: ${signal ?? code}`
      this.#signal()
    })
    this.#all.push(child)
  }
  async kill(): Promise<void> {
    const ends = this.#all.filter((one) => !isOver(one)).map((one) => once(one, 'exit'))
    this.#signal()
    await Promise.all(ends)
    process.off('exit', this.#signal)
  }
}

/** A real API server, etcd and controller manager on loopback; no kubelet and no scheduler. */
export class KubeServer {
  readonly api: KubeApi
  readonly ca: string
  readonly folder: string
  readonly #programs: Programs

  private constructor(api: KubeApi, ca: string, folder: string, programs: Programs) {
    this.api = api
    this.ca = ca
    this.folder = folder
    this.#programs = programs
  }

  /**
   * `users`: token → user, beside the administrator. A program that ends while it starts has lost its port to somebody else, since nobody can keep one for it:
   * then all start again on others.
   */
  static async start(users: Readonly<Record<string, string>> = {}, attempts = 3): Promise<KubeServer> {
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-kube-'))
    const programs = new Programs()
    try {
      return await KubeServer.#startIn(folder, programs, users)
    } catch (cause) {
      const hasEnded = programs.ended !== undefined
      await programs.kill()
      await rm(folder, { recursive: true, force: true })
      if (hasEnded && attempts > 1) return KubeServer.start(users, attempts - 1)
      throw cause
    }
  }
  static async #startIn(folder: string, programs: Programs, users: Readonly<Record<string, string>>): Promise<KubeServer> {
    const file = (name: string) => join(folder, name)
    const [client = 0, peer = 0, secure = 0, manager = 0] = await freePorts(4)
    const authority = new Authority()
    const certificate = authority.issue(['IP:127.0.0.1', 'DNS:localhost', 'DNS:kubernetes.default.svc'])
    const admin = `admin-${Buffer.from(certificate.key).toString('hex').slice(100, 140)}`
    const tokens = [
      `${admin},admin,1,"system:masters"`,
      ...Object.entries(users).map(([token, user], index) => `${token},${user},${index + 2}`),
    ]
    const accounts = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
    await writeFile(file('sa.key'), accounts)
    await writeFile(file('tls.crt'), certificate.cert)
    await writeFile(file('tls.key'), certificate.key)
    await writeFile(file('ca.crt'), authority.ca)
    await writeFile(file('audit.json'), JSON.stringify(auditPolicy))
    await writeFile(file('tokens.csv'), `${tokens.join('\n')}\n`)
    const url = `https://127.0.0.1:${secure}`
    await writeFile(file('manager.conf'), JSON.stringify(kubeconfig(url, authority.ca, admin)))
    programs.start(
      'etcd',
      '--data-dir',
      file('etcd'),
      '--unsafe-no-fsync',
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
    )
    programs.start(
      'kube-apiserver',
      `--etcd-servers=http://127.0.0.1:${client}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${secure}`,
      `--tls-cert-file=${file('tls.crt')}`,
      `--tls-private-key-file=${file('tls.key')}`,
      `--token-auth-file=${file('tokens.csv')}`,
      '--service-account-issuer=https://keyturn.test',
      `--service-account-key-file=${file('sa.key')}`,
      `--service-account-signing-key-file=${file('sa.key')}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      '--authorization-mode=Node,RBAC',
      '--anonymous-auth=false',
      '--endpoint-reconciler-type=none',
      `--audit-policy-file=${file('audit.json')}`,
      `--audit-log-path=${file('audit.log')}`,
      '--audit-log-mode=blocking',
    )
    const api = new KubeApi(url, authority.ca, admin)
    await until('the API server', async () => (await api.call('GET', '/readyz')).status === 200, programs)
    if (!managerSkip) {
      programs.start(
        'kube-controller-manager',
        `--kubeconfig=${file('manager.conf')}`,
        '--authentication-kubeconfig=',
        `--secure-port=${manager}`,
        '--leader-elect=false',
        `--service-account-private-key-file=${file('sa.key')}`,
        `--root-ca-file=${file('ca.crt')}`,
        `--controllers=${controllers.join(',')}`,
      )
      await until(
        'the controllers',
        async () => (await api.get('/api/v1/namespaces/default/serviceaccounts/default')) !== undefined,
        programs,
      )
    }
    return new KubeServer(api, authority.ca, folder, programs)
  }

  async makeNamespace(name: string): Promise<void> {
    await this.api.must('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    if (!managerSkip)
      await until(
        `namespace ${name}`,
        async () => (await this.api.get(`/api/v1/namespaces/${name}/serviceaccounts/default`)) !== undefined,
        this.#programs,
      )
  }

  /** What one user asked for, as the server itself noted it: `verb group/resource name`. */
  async askedBy(user: string): Promise<readonly string[]> {
    interface Entry {
      readonly verb: string
      readonly user: { readonly username: string }
      readonly objectRef?: { readonly apiGroup?: string; readonly resource?: string; readonly subresource?: string; readonly name?: string }
      readonly requestURI: string
    }
    const lines = (await readFile(join(this.folder, 'audit.log'), 'utf8')).trim().split('\n')
    return lines
      .map((line) => JSON.parse(line) as Entry)
      .filter((entry) => entry.user.username === user)
      .map(({ verb, objectRef, requestURI }) => {
        if (objectRef === undefined) return `${verb} ${requestURI}`
        const { apiGroup = '', resource = '', subresource, name } = objectRef
        const what = `${apiGroup === '' ? '' : `${apiGroup}/`}${resource}${subresource === undefined ? '' : `/${subresource}`}`
        return `${verb} ${what}${name === undefined ? '' : ` ${name}`}`
      })
  }

  async stop(): Promise<void> {
    await this.#programs.kill()
    await rm(this.folder, { recursive: true, force: true })
  }
}

const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
}
const kubeconfig = (server: string, ca: string, token: string) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
  users: [{ name: 'test', user: { token } }],
  contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  'current-context': 'test',
})

export async function until(what: string, test: () => Promise<boolean>, programs?: Programs): Promise<void> {
  for (let tries = 0; !(await test().catch(() => false)); tries++) {
    if (programs?.ended !== undefined) throw new Error(`${what} did not start (${programs.ended})`)
    if (tries > 600) throw new Error(`${what}: not in time`)
    await delay(50)
  }
}
