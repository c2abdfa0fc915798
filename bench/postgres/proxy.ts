import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A wire in between that counts: connections, bytes, and how often the client speaks after the server did, which is a round trip. */
export class CountingProxy {
  connections = 0
  roundTrips = 0
  bytes = 0
  readonly #server: Server
  readonly #open = new Set<Socket>()

  private constructor(target: number) {
    this.#server = createServer((client) => {
      this.connections++
      this.roundTrips++ // TCP itself
      let clientSpoke = false
      const server = connect(target, '127.0.0.1')
      for (const socket of [client, server]) {
        this.#open.add(socket)
        socket.setNoDelay(true)
        socket.on('error', () => undefined)
        socket.on('close', () => this.#open.delete(socket))
      }
      client.on('data', (chunk) => {
        this.bytes += chunk.length
        clientSpoke = true
        server.write(chunk)
      })
      server.on('data', (chunk) => {
        this.bytes += chunk.length
        if (clientSpoke) this.roundTrips++
        clientSpoke = false
        client.write(chunk)
      })
      client.on('end', () => server.end())
      server.on('end', () => client.end())
    })
  }
  static async open(target: number): Promise<CountingProxy> {
    const proxy = new CountingProxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }
  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
