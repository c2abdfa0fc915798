import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import { Authority } from './pg-certificates.js'
import { TlsFront } from './tls-front.js'

const { request } = https

/** In this process, until it is closed: hosts of a platform lead to ports of this machine, by TLS with a certificate for their name. */
export class LedHosts {
  readonly #front: TlsFront
  private constructor(front: TlsFront) {
    this.#front = front
  }
  static async open(ports: Readonly<Record<string, number>>): Promise<LedHosts> {
    const authority = new Authority()
    const front = await TlsFront.open(authority, new Map(Object.entries(ports)))
    const led = (url: URL, options: https.RequestOptions, answer: Parameters<typeof request>[2]) => {
      if (!(url instanceof URL) || ports[url.hostname] === undefined) return request(url, options, answer)
      const lookup: https.RequestOptions['lookup'] = (_, { all }, found) =>
        all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4)
      const headers = { ...(options.headers as Record<string, string>), host: url.host }
      return request(url, { ...options, headers, port: Number(front.env.KEYTURN_TEST_FRONT), lookup, ca: authority.ca }, answer)
    }
    https.request = led as typeof request
    syncBuiltinESMExports()
    return new LedHosts(front)
  }
  async close(): Promise<void> {
    https.request = request
    syncBuiltinESMExports()
    await this.#front.close()
  }
}
