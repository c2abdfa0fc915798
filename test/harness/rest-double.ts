import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One call, as it arrived. */
export interface RestCall {
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  /** On whose quota it goes (x-goog-user-project). */
  readonly userProject: string | undefined
  readonly body: string
}
/** cut: the connection ends without an answer. */
export type RestAnswer = 'cut' | { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }

/** A REST interface of a platform on loopback: a test says what it answers. */
export class RestDouble {
  readonly calls: RestCall[] = []
  answer: (call: RestCall, n: number) => RestAnswer | Promise<RestAnswer> = () => ({ status: 200, body: {} })
  readonly #server: Server
  private constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const { method = '', url: path = '', headers } = request
      const { authorization, 'x-goog-user-project': userProject } = headers
      const call = { method, path, authorization, userProject: userProject?.toString(), body: Buffer.concat(chunks).toString() }
      this.calls.push(call)
      const answer = await this.answer(call, this.calls.length)
      if (answer === 'cut') return void request.socket.destroy()
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
    })
  }
  static async open(): Promise<RestDouble> {
    const double = new RestDouble()
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve))
    return double
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }
  get endpoint(): `http://127.0.0.1:${number}` {
    return `http://127.0.0.1:${this.port}`
  }
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** An error as Google's interfaces give it. */
export const refusal = (status: number, name: string, message = 'no'): RestAnswer => ({
  status,
  body: { error: { code: status, message, status: name } },
})
