import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * The metadata server of Google's machines on loopback, for the default credentials of the official clients: the variable GCE_METADATA_HOST
 * (host:port, no scheme) leads them here. It answers only who sends `Metadata-Flavor: Google`, as the real one does.
 */
export class MetadataServer {
  readonly calls: string[] = []
  projectId = 'p'
  projectNumber = '123456789012'
  email = 'rotator@p.iam.gserviceaccount.com'
  token = 'ya29.test'
  expiresInSeconds = 3599
  /** False on a machine without a service account: every question about it is 404. */
  hasAccount = true
  /** Asked before each answer: the status that it gets instead. */
  fault: (path: string, n: number) => number | undefined = () => undefined
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://metadata')
      this.calls.push(pathname)
      const answer = request.headers['metadata-flavor'] === 'Google' ? this.#answer(pathname, searchParams) : 403
      const code = typeof answer === 'number' ? answer : 200
      const json = typeof answer === 'object'
      response.writeHead(code, { 'metadata-flavor': 'Google', 'content-type': json ? 'application/json' : 'application/text' })
      response.end(json ? JSON.stringify(answer) : String(answer))
    })
  }
  static async open(): Promise<MetadataServer> {
    const server = new MetadataServer()
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }
  /** The value of GCE_METADATA_HOST. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** A number is a status. */
  #answer(path: string, query: URLSearchParams): string | object | number {
    const fault = this.fault(path, this.calls.length)
    if (fault !== undefined) return fault
    const [, asked] = /^\/computeMetadata\/v1\/(.*?)\/?$/.exec(path) ?? []
    if (asked === 'project/project-id') return this.projectId
    if (asked === 'project/numeric-project-id') return this.projectNumber
    if (asked === 'universe/universe-domain' || asked === 'universe/universe_domain') return 'googleapis.com'
    if (asked === 'instance') return {}
    const [, about] = /^instance\/service-accounts\/(?:default|[^/]+@[^/]+)(?:\/(.*))?$/.exec(asked ?? '') ?? []
    if (asked === undefined || !asked.startsWith('instance/service-accounts/') || !this.hasAccount) return 404
    if (about === 'email') return this.email
    if (about === 'token') return { access_token: this.token, expires_in: this.expiresInSeconds, token_type: 'Bearer' }
    if (about === 'scopes') return 'https://www.googleapis.com/auth/cloud-platform'
    if (about === 'identity') return `identity.of.${query.get('audience') ?? ''}`
    if (about === undefined) return { email: this.email, aliases: ['default'], scopes: ['https://www.googleapis.com/auth/cloud-platform'] }
    return 404
  }
}
