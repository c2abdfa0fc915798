import { request } from 'node:https'

export interface KubeAnswer {
  readonly status: number
  readonly body: Json
}
export type Json = Readonly<Record<string, unknown>> & { readonly metadata?: Meta; readonly items?: readonly Json[] }
export interface Meta {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly generation?: number
  readonly resourceVersion?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly deletionTimestamp?: string
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[]
}

/** An administrator's plain calls, for what a test sets up and for stand-ins of operator and kubelet. */
export class KubeApi {
  readonly server: string
  readonly ca: string
  readonly token: string
  constructor(server: string, ca: string, token: string) {
    this.server = server
    this.ca = ca
    this.token = token
  }
  as = (token: string): KubeApi => new KubeApi(this.server, this.ca, token)

  call(method: string, path: string, body?: object, type = 'application/json'): Promise<KubeAnswer> {
    return this.send(method, path, body === undefined ? '' : JSON.stringify(body), type)
  }

  send(method: string, path: string, text: string, type: string): Promise<KubeAnswer> {
    const headers = {
      authorization: `Bearer ${this.token}`,
      // Without its length a DELETE with a body has no framing at all.
      ...(text === '' ? {} : { 'content-type': type, 'content-length': String(Buffer.byteLength(text)) }),
    }
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, this.server), { method, headers, ca: this.ca, agent: false }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const said = Buffer.concat(chunks).toString('utf8')
          const isJson = /json/.test(answer.headers['content-type'] ?? '')
          resolve({ status: answer.statusCode ?? 0, body: (isJson ? JSON.parse(said) : { message: said }) as Json })
        })
      })
      sent.on('error', reject)
      sent.end(text)
    })
  }

  /** undefined for what is not there; any other refusal is an error of the test. */
  async get(path: string): Promise<Json | undefined> {
    const { status, body } = await this.call('GET', path)
    if (status === 404) return undefined
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`)
    return body
  }
  async must(method: string, path: string, body?: object, type?: string): Promise<Json> {
    const answer = await this.call(method, path, body, type)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  patch = (path: string, body: object): Promise<Json> => this.must('PATCH', path, body, 'application/merge-patch+json')
}
