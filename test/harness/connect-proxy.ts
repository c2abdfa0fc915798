import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

/** A proxy on loopback that leads every tunnel, whatever host it is asked for, to one port of this machine. `grpc_proxy` sends a client of gRPC here. */
export class ConnectProxy {
  /** Each host and port that was asked for. */
  readonly asked: string[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(port: number) {
    this.#server = createServer()
    this.#server.on('connect', ({ url = '' }, caller: Socket) => {
      this.asked.push(url)
      const there = connect(port, '127.0.0.1', () => {
        caller.write('HTTP/1.1 200 Connection established\r\n\r\n')
        caller.pipe(there).pipe(caller)
      })
      for (const socket of [caller, there]) {
        this.#sockets.add(socket)
        socket.on('error', () => {
          caller.destroy()
          there.destroy()
        })
      }
    })
  }
  static async open(port: number): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(port)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
