import { createServer, type Server } from 'node:https'
import type { AddressInfo, LookupFunction } from 'node:net'
import type { TlsSettings } from '@azure/core-rest-pipeline'
import type { Authority } from '../pg-certificates.js'
import type { Ask } from './operations.js'

/** What the client gives to its agent for TLS, and the agent to each connection: the port and the address stay no matter what the URL says. */
export interface RedirectedTls extends TlsSettings {
  readonly ca: string
  readonly port: number
  readonly lookup: LookupFunction
}

/** As the system says it of a name that nobody has. */
export const unknownHost = (host: string): string => `getaddrinfo ENOTFOUND ${host}`

/** An HTTPS server on loopback. An answer is lost by ending the connection, and not by a status that pretends to it. */
export class Wire {
  readonly #server: Server
  readonly #authority: Authority

  private constructor(ask: Ask, authority: Authority) {
    this.#authority = authority
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(Buffer.from(chunk))
      const { method = '', url = '/', headers } = request
      const answer = await ask({
        method,
        url: new URL(url, `https://${headers.host}`),
        authorization: headers.authorization,
        body: Buffer.concat(chunks).toString(),
      })
      if (answer === 'cut') return void request.socket.destroy()
      response.writeHead(answer.status, answer.headers)
      response.end(answer.body)
    })
    this.#server.on('tlsClientError', (_, socket) => socket.destroy()) // who does not trust the authority, or was killed meanwhile
  }
  static async open(ask: Ask, authority: Authority, hosts: readonly string[]): Promise<Wire> {
    const wire = new Wire(ask, authority)
    wire.certify(hosts)
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve))
    return wire
  }
  /** From now on the certificate is for these names. */
  certify = (hosts: readonly string[]): void => this.#server.setSecureContext(this.#authority.issue(hosts.map((host) => `DNS:${host}`)))
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }
  /** Where hosts that are known lead here, whatever port is asked for; the others do not resolve. */
  redirected(knows: (host: string) => boolean): RedirectedTls {
    const lookup: LookupFunction = (host, { all }, found) => {
      const cause = Object.assign(new Error(unknownHost(host)), { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: host })
      process.nextTick(() => {
        if (!knows(host)) found(cause, '', 0)
        else if (all) found(null, [{ address: '127.0.0.1', family: 4 }])
        else found(null, '127.0.0.1', 4)
      })
    }
    return { ca: this.#authority.ca, port: this.port, lookup }
  }
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
