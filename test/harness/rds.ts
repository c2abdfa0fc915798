import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RdsDatabase {
  readonly kind: 'instance' | 'cluster'
  readonly id: string
  readonly host: string
  readonly port: number
  masterUser: string
  engine: string
  status: string
  reader?: string
  /** An instance that belongs to a cluster. */
  memberOf?: string
  replicaOf?: string
  /** An instance that copies a cluster. */
  replicaOfCluster?: string
  region?: string
  /** Something else waits for the maintenance window. */
  queued?: boolean
  managedSecret?: string
  dbName?: string
  /** Sent, and not in effect yet. */
  change?: { readonly password: string; readonly sentAt: number }
}
type RdsFault = 'throttle' | 'error' | 'cut' | 'drop' | { readonly code: string; readonly message: string }

/**
 * The control plane of RDS as a server on loopback: the Query protocol with XML answers, to the unmodified SDK. A new master password is pending at
 * first (`PendingModifiedValues`), then the database is `resetting-master-credentials`, then it is in effect. Left out: every action but the four,
 * paging, filters, signatures, IAM, states that a database changes into by itself.
 */
export class RdsDouble {
  readonly databases: RdsDatabase[] = []
  readonly calls: { readonly action: string; readonly id: string }[] = []
  /** Asked before each call; `n` counts from 1. */
  fault: (action: string, n: number) => RdsFault | undefined = () => undefined
  now: () => number = Date.now
  pendingMs = 8000
  resettingMs = 12_000
  /** Makes the database take the password. */
  onEffect: (database: RdsDatabase, password: string) => Promise<void> = async () => {}
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }
  static async open(): Promise<RdsDouble> {
    const double = new RdsDouble()
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve))
    process.env.AWS_ENDPOINT_URL_RDS = double.endpoint
    return double
  }
  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  async close(): Promise<void> {
    delete process.env.AWS_ENDPOINT_URL_RDS
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
    const action = form.get('Action') ?? ''
    const id = form.get(action.endsWith('Clusters') || action.endsWith('Cluster') ? 'DBClusterIdentifier' : 'DBInstanceIdentifier') ?? ''
    this.calls.push({ action, id })
    const fault = this.fault(action, this.calls.length)
    if (fault === 'cut') return void request.socket.destroy()
    if (fault === 'throttle') return refuse(response, 400, 'Throttling', 'Rate exceeded')
    if (fault === 'error') return refuse(response, 500, 'InternalFailure', 'An internal error occurred')
    if (typeof fault === 'object') return refuse(response, 400, fault.code, fault.message)
    await this.#settle()
    const kind = action.includes('Cluster') ? 'cluster' : 'instance'
    const region = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(String(request.headers.authorization))?.[1]
    const database = this.databases.find((one) => one.kind === kind && one.id === id && (one.region ?? 'eu-west-1') === region)
    if (database === undefined)
      return refuse(response, 404, kind === 'cluster' ? 'DBClusterNotFoundFault' : 'DBInstanceNotFound', `${id} not found`)
    const wrong = action.startsWith('Modify') ? this.#modify(database, form) : undefined
    if (fault === 'drop') return void request.socket.destroy()
    if (wrong) return refuse(response, 400, ...wrong)
    const described = kind === 'cluster' ? clusterXml(database, this.#phase(database)) : instanceXml(database, this.#phase(database))
    const name = kind === 'cluster' ? 'DBCluster' : 'DBInstance'
    const body = action.startsWith('Describe') ? `<${name}s><${name}>${described}</${name}></${name}s>` : `<${name}>${described}</${name}>`
    const xml = `<${action}Response xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><${action}Result>${body}</${action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></${action}Response>`
    response.writeHead(200, { 'content-type': 'text/xml' }).end(xml)
  }

  #modify(database: RdsDatabase, form: URLSearchParams): readonly [string, string] | undefined {
    const password = form.get('MasterUserPassword') ?? ''
    const longest = database.kind === 'cluster' ? 41 : 128
    if (database.status !== 'available' || this.#phase(database) === 'resetting')
      return [database.kind === 'cluster' ? 'InvalidDBClusterStateFault' : 'InvalidDBInstanceState', `${database.id} is not available`]
    if (password.length < 8 || password.length > longest || /[/"@ ]|[^\x20-\x7e]/.test(password))
      return ['InvalidParameterValue', 'The parameter MasterUserPassword is not a valid password.']
    if (database.memberOf !== undefined || database.replicaOf !== undefined || database.managedSecret !== undefined)
      return ['InvalidParameterCombination', 'The master password of this database is not changed here.']
    database.change = { password, sentAt: this.now() }
    return undefined
  }

  /** It says nothing of a change yet, though one was sent. */
  silent = false
  #phase({ change }: RdsDatabase): 'pending' | 'resetting' | undefined {
    if (change === undefined || this.silent) return undefined
    return this.now() < change.sentAt + this.pendingMs ? 'pending' : 'resetting'
  }
  /** What has become due meanwhile. */
  async #settle(): Promise<void> {
    for (const database of this.databases) {
      const { change } = database
      if (change === undefined || this.now() < change.sentAt + this.pendingMs + this.resettingMs) continue
      await this.onEffect(database, change.password)
      delete database.change
    }
  }
}

const tag = (name: string, text: string | number | undefined): string =>
  text === undefined ? '' : `<${name}>${String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;')}</${name}>`
const pendingXml = ({ queued }: RdsDatabase, phase: string | undefined): string => {
  const password = phase === 'pending' ? '<MasterUserPassword>****</MasterUserPassword>' : ''
  return `<PendingModifiedValues>${password}${queued ? '<EngineVersion>17.6</EngineVersion>' : ''}</PendingModifiedValues>`
}
const arnXml = ({ kind, id, region = 'eu-west-1' }: RdsDatabase): string =>
  kind === 'cluster'
    ? tag('DBClusterArn', `arn:aws:rds:${region}:123456789012:cluster:${id}`)
    : tag('DBInstanceArn', `arn:aws:rds:${region}:123456789012:db:${id}`)
const statusOf = ({ status }: RdsDatabase, phase: string | undefined): string =>
  phase === 'resetting' ? 'resetting-master-credentials' : status
const managedXml = ({ managedSecret }: RdsDatabase): string =>
  managedSecret === undefined
    ? ''
    : `<MasterUserSecret>${tag('SecretArn', managedSecret)}${tag('SecretStatus', 'active')}</MasterUserSecret>`

function instanceXml(one: RdsDatabase, phase: string | undefined): string {
  return [
    tag('DBInstanceIdentifier', one.id),
    tag('DBInstanceStatus', statusOf(one, phase)),
    tag('Engine', one.engine),
    tag('MasterUsername', one.masterUser),
    tag('DBName', one.dbName),
    `<Endpoint>${tag('Address', one.host)}${tag('Port', one.port)}</Endpoint>`,
    tag('DBClusterIdentifier', one.memberOf),
    tag('ReadReplicaSourceDBInstanceIdentifier', one.replicaOf),
    tag('ReadReplicaSourceDBClusterIdentifier', one.replicaOfCluster),
    arnXml(one),
    managedXml(one),
    pendingXml(one, phase),
  ].join('')
}

function clusterXml(one: RdsDatabase, phase: string | undefined): string {
  return [
    tag('DBClusterIdentifier', one.id),
    tag('Status', statusOf(one, phase)),
    tag('Engine', one.engine),
    tag('MasterUsername', one.masterUser),
    tag('DatabaseName', one.dbName),
    tag('Endpoint', one.host),
    tag('ReaderEndpoint', one.reader),
    tag('Port', one.port),
    tag('ReplicationSourceIdentifier', one.replicaOf),
    arnXml(one),
    managedXml(one),
    pendingXml(one, phase),
  ].join('')
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  const type = status < 500 ? 'Sender' : 'Receiver'
  const error = `<Error><Type>${type}</Type>${tag('Code', code)}${tag('Message', message)}</Error>`
  response.writeHead(status, { 'content-type': 'text/xml' })
  response.end(`<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">${error}<RequestId>1</RequestId></ErrorResponse>`)
}
