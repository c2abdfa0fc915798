import { type AddressInfo, connect, type Socket } from 'node:net'
import { createServer, type Server } from 'node:tls'
import type { Authority } from './pg-certificates.js'

/** TLS on loopback in front of servers that speak without it: each name of a host leads to a port of this machine. */
export class TlsFront {
  readonly #server: Server
  readonly #ports: ReadonlyMap<string, number>
  readonly #sockets = new Set<Socket>()

  private constructor(authority: Authority, ports: ReadonlyMap<string, number>) {
    this.#ports = ports
    const certificate = authority.issue([...ports.keys()].map((host) => `DNS:${host}`))
    this.#server = createServer(certificate, (caller) => {
      const port = ports.get(String(caller.servername))
      if (port === undefined) return void caller.destroy()
      const there = connect(port, '127.0.0.1')
      caller.pipe(there).pipe(caller)
      for (const [socket, other] of [
        [caller, there],
        [there, caller],
      ] as const) {
        this.#sockets.add(socket)
        socket.on('error', () => other.destroy())
        socket.on('close', () => {
          this.#sockets.delete(socket)
          other.destroy()
        })
      }
    })
    this.#server.on('tlsClientError', (_, socket) => socket.destroy()) // who does not trust the authority, or was killed meanwhile
  }
  static async open(authority: Authority, ports: ReadonlyMap<string, number>): Promise<TlsFront> {
    const front = new TlsFront(authority, ports)
    await new Promise<void>((resolve) => front.#server.listen(0, '127.0.0.1', resolve))
    return front
  }
  /** What leads a process here that was started with `gcp-redirect.cjs`. */
  get env(): Readonly<Record<string, string>> {
    const { port } = this.#server.address() as AddressInfo
    return { KEYTURN_TEST_HOSTS: [...this.#ports.keys()].join(','), KEYTURN_TEST_FRONT: String(port) }
  }
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
