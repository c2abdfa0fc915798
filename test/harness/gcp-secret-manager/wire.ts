import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { StatusError } from './model.js'
import { definitionOf, type RequestOf, type ResponseOf, type RpcName, rpcNames } from './rpcs.js'

/** cut: the connection is to end without an answer. */
export type Answer<Name extends RpcName> = ResponseOf<Name> | 'cut'
export type Ask = <Name extends RpcName>(name: Name, request: RequestOf<Name>, authorization: string | undefined) => Promise<Answer<Name>>

export interface ServerCertificate {
  readonly cert: string
  readonly key: string
}

/** A gRPC server on loopback. It owns its sockets, so that an answer can be lost by ending the connection and not by a status that pretends to it. */
export class Wire {
  readonly #grpc = new Server()
  readonly #sockets = new Map<string, Socket>()
  readonly #tcp: NetServer
  readonly #ask: Ask

  constructor(ask: Ask, certificate?: ServerCertificate) {
    this.#ask = ask
    for (const name of rpcNames) this.#serve(name)
    const injector = this.#grpc.createConnectionInjector(credentialsOf(certificate))
    this.#tcp = createServer((socket) => {
      const key = `${socket.remoteAddress}:${socket.remotePort}`
      this.#sockets.set(key, socket)
      socket.on('close', () => this.#sockets.delete(key))
      socket.on('error', () => socket.destroy())
      injector.injectConnection(socket)
    })
  }
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#tcp.listen(0, '127.0.0.1', resolve))
    const address = this.#tcp.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }
  async close(): Promise<void> {
    this.#grpc.forceShutdown()
    for (const socket of this.#sockets.values()) socket.destroy()
    await new Promise((resolve) => this.#tcp.close(resolve))
  }

  #serve<Name extends RpcName>(name: Name): void {
    const handle = (call: ServerUnaryCall<RequestOf<Name>, ResponseOf<Name>>, reply: sendUnaryData<ResponseOf<Name>>): void => {
      const authorization = call.metadata.get('authorization')[0]
      this.#ask(name, call.request, authorization === undefined ? undefined : String(authorization)).then(
        (answer) => (answer === 'cut' ? this.#sockets.get(call.getPeer())?.destroy() : reply(null, answer)),
        (cause: unknown) =>
          reply(cause instanceof StatusError ? cause.toStatus() : { code: status.UNKNOWN, details: `The double failed: ${cause}` }),
      )
    }
    this.#grpc.addService({ [name]: definitionOf(name) }, { [name]: handle })
  }
}

const credentialsOf = (certificate: ServerCertificate | undefined): ServerCredentials =>
  certificate === undefined
    ? ServerCredentials.createInsecure()
    : ServerCredentials.createSsl(null, [{ private_key: Buffer.from(certificate.key), cert_chain: Buffer.from(certificate.cert) }])
