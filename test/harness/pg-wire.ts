import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Something on a port of loopback that stands where a PostgreSQL should be, and keeps what it was sent. */
class Listener {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  protected readonly chunks: Buffer[] = []
  connections = 0

  protected constructor(handle: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.connections++
      this.track(socket)
      handle(socket)
    })
  }
  protected track(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
  }
  protected async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }
  /** All bytes that clients sent, as one byte a character. */
  get received(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }
  /** Takes no more connections; open ones go on. */
  shut(): void {
    this.#server.close()
  }
  async close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

/** What a hostile server answers to each message; the number counts the messages of one connection from 0. */
export type Script = (message: Buffer, count: number, socket: Socket) => void

export class HostileServer extends Listener {
  static async open(script: Script): Promise<HostileServer> {
    return new HostileServer(script).listen()
  }
  private constructor(script: Script) {
    super((socket) => {
      let count = 0
      socket.on('data', (message) => {
        this.chunks.push(message)
        script(message, count++, socket)
      })
    })
  }
}

/** Between the client and a real server: `cut` says when, and on which side of a message, the line breaks. */
export class BrokenLine extends Listener {
  static async open(port: number, cut: (text: string) => 'before' | 'after' | 'never'): Promise<BrokenLine> {
    return new BrokenLine(port, cut).listen()
  }
  private constructor(port: number, cut: (text: string) => 'before' | 'after' | 'never') {
    super((client) => {
      const upstream = connect(port, '127.0.0.1')
      this.track(upstream)
      let answerIsLost = false
      client.on('data', (chunk) => {
        this.chunks.push(chunk)
        const when = cut(chunk.toString('latin1'))
        if (when === 'before') {
          upstream.destroy()
          client.destroy()
          return
        }
        answerIsLost ||= when === 'after'
        upstream.write(chunk)
      })
      upstream.on('data', (chunk) => {
        if (answerIsLost) client.destroy()
        else client.write(chunk)
      })
      client.on('close', () => upstream.end())
      upstream.on('close', () => client.destroy())
    })
  }
}

const framed = (type: string, body: Buffer): Buffer => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type), length, body])
}
const int32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32BE(value)
  return buffer
}
const authentication = (kind: number, body: Buffer | string = ''): Buffer => framed('R', Buffer.concat([int32(kind), Buffer.from(body)]))

/** The server's side of the protocol, as far as the login. */
export const wire = {
  ok: authentication(0),
  cleartext: authentication(3),
  md5: authentication(5, 'salt'),
  sasl: authentication(10, 'SCRAM-SHA-256\0\0'),
  saslContinue: (text: string): Buffer => authentication(11, text),
  saslFinal: (text: string): Buffer => authentication(12, text),
  ready: framed('Z', Buffer.from('I')),
  error: (code: string): Buffer => framed('E', Buffer.from(`SFATAL\0VFATAL\0C${code}\0Mfrom a hostile server\0\0`)),
}

/** The nonce in the client's first SCRAM message, to be continued by the server. */
export const nonceIn = (message: Buffer): string => /r=([^,\0]+)/.exec(message.toString('latin1'))?.[1] ?? ''
