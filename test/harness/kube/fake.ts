import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { Authority } from '../pg-certificates.js'
import { KubeApi } from './api.js'
import { control, tellToEnd } from './fake-controllers.js'
import { type FakeObject, FakeStore, Refusal } from './fake-store.js'

const admin = 'token-of-the-admin-0123456789'
const groups = ['external-secrets.io', 'apps', 'batch', 'rbac.authorization.k8s.io', 'authorization.k8s.io']

interface Place {
  readonly collection: string
  readonly name?: string
  readonly part?: string
  readonly namespace?: string
  readonly group: string
  readonly resource: string
}

/**
 * A strict stand-in of an API server on loopback: TLS, tokens, Roles with resource names, merge patches, generations, status as a part of its own,
 * rollouts of the three workloads. Left out: watches, other patches, admission, quotas, schemas, service accounts, cluster roles.
 */
export class KubeFake {
  readonly api: KubeApi
  readonly ca: string
  readonly store = new FakeStore()
  /** Asked before each call of anybody but the administrator: a status instead of an answer, a socket that is cut before it is done, or after. */
  fault: (call: string) => number | 'cut' | 'drop' | undefined = () => undefined
  readonly calls: string[] = []
  /** Sent with a status that the fault says. */
  retryAfter: string | undefined
  /** How far its clock is ahead of this machine's. */
  aheadMs = 0
  /** Of the operator's kinds. */
  operatorVersions: readonly string[] = ['v1']
  /** Connections by which anybody but the administrator asked. */
  readonly ours = new Set<Socket>()
  /** Tokens that were issued: until when, and for whom. */
  readonly #issued = new Map<string, { readonly user: string; readonly until: number }>()
  readonly #server: Server
  readonly #users: Readonly<Record<string, string>>
  readonly #timer: NodeJS.Timeout

  private constructor(server: Server, authority: Authority, users: Readonly<Record<string, string>>) {
    this.#server = server
    this.#users = users
    this.ca = authority.ca
    this.api = new KubeApi(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, authority.ca, admin)
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response))
    this.#timer = setInterval(() => control(this.store), 20)
  }
  static async start(users: Readonly<Record<string, string>> = {}): Promise<KubeFake> {
    const authority = new Authority()
    const server = createServer(authority.issue(['IP:127.0.0.1']))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new KubeFake(server, authority, users)
  }
  async makeNamespace(name: string): Promise<void> {
    this.store.create('/api/v1/namespaces', { metadata: { name } })
  }
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString('utf8')
    const { method = 'GET' } = request
    const url = new URL(request.url ?? '/', 'https://fake')
    const send = (status: number, body: object): void =>
      void response
        .writeHead(status, {
          'content-type': 'application/json',
          date: new Date(Date.now() + this.aheadMs).toUTCString(),
          ...(status >= 400 && this.retryAfter ? { 'retry-after': this.retryAfter } : {}),
        })
        .end(JSON.stringify(body))
    let lost = false
    try {
      const token = (request.headers.authorization ?? '').replace('Bearer ', '')
      const issued = this.#issued.get(token)
      const user = token === admin ? 'admin' : (this.#users[token] ?? (issued && Date.now() < issued.until ? issued.user : undefined))
      if (user === undefined) throw new Refusal(401, 'Unauthorized')
      if (user !== 'admin') {
        this.calls.push(`${method} ${url.pathname}`)
        this.ours.add(request.socket)
        const fault = this.fault(`${method} ${url.pathname}`)
        if (fault === 'cut') return void request.socket.destroy()
        if (typeof fault === 'number') throw new Refusal(fault, 'as the test says')
        lost = fault === 'drop'
      }
      const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
      const answer = this.#answer(method, url, body, request.headers['content-type'] ?? '', user)
      if (lost) request.socket.destroy()
      else send(...answer)
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
      send(cause.status, { kind: 'Status', status: 'Failure', message: cause.message, code: cause.status })
    }
  }

  #answer(method: string, url: URL, body: Record<string, unknown>, type: string, user: string): [number, object] {
    if (url.pathname === '/readyz') return [200, {}]
    const group = /^\/apis\/([^/]+)$/.exec(url.pathname)?.[1]
    if (group === 'external-secrets.io')
      return [200, { kind: 'APIGroup', name: group, versions: this.operatorVersions.map((version) => ({ version })) }]
    const place = placeOf(url.pathname)
    if (place.resource === 'selfsubjectaccessreviews') {
      const { resourceAttributes: at } = body.spec as { resourceAttributes: Record<string, string> }
      return [201, { status: { allowed: this.#may(user, at.verb ?? '', at.group ?? '', at.resource ?? '', at.name, at.namespace) } }]
    }
    const version = /^\/apis\/external-secrets\.io\/([^/]+)/.exec(url.pathname)?.[1]
    if (version !== undefined && !this.operatorVersions.includes(version)) throw new Refusal(404, '404 page not found')
    const verb =
      {
        GET: place.name === undefined ? 'list' : 'get',
        POST: 'create',
        PATCH: 'patch',
        DELETE: place.name === undefined ? 'deletecollection' : 'delete',
      }[method] ?? method
    const resource = place.part === undefined ? place.resource : `${place.resource}/${place.part}`
    if (!this.#may(user, verb, place.group, resource, place.name, place.namespace))
      throw new Refusal(403, `User "${user}" cannot ${verb} resource "${resource}" in API group "${place.group}"`)
    const acted = this.#act(method, place, url, body, type)
    return [method === 'POST' ? 201 : 200, verb === 'list' ? paged(acted, url) : acted]
  }

  #act(method: string, place: Place, url: URL, body: Record<string, unknown>, type: string): object {
    const { collection, name, part } = place
    if (method === 'POST' && part === 'binding') {
      const pod = this.store.must(collection, name ?? '')
      return this.store.put(collection, pod, { ...pod, spec: { ...pod.spec, nodeName: 'here' } })
    }
    if (method === 'POST' && part === 'token') return this.#issue(place, body)
    if (method === 'POST') {
      if (place.namespace !== undefined) this.store.must('/api/v1/namespaces', place.namespace)
      return this.store.create(collection, body)
    }
    if (name === undefined && method === 'DELETE') {
      for (const pod of selected(this.store.list(collection), url.searchParams.get('labelSelector')))
        if (pod.metadata.deletionTimestamp === undefined) tellToEnd(this.store, collection, pod)
      return { kind: 'Status', status: 'Success' }
    }
    if (name === undefined)
      return { kind: 'List', metadata: {}, items: selected(this.store.list(collection), url.searchParams.get('labelSelector')) }
    if (method === 'GET') return this.store.must(collection, name)
    if (method === 'DELETE') {
      this.store.remove(collection, name)
      return { kind: 'Status', status: 'Success' }
    }
    if (type !== 'application/merge-patch+json') throw new Refusal(415, `the body of the request was in an unknown format: ${type}`)
    return this.store.patch(collection, name, body, part === 'status' ? 'status' : 'main')
  }

  #rolesOf(user: string, bindings: string, roles: string): readonly (FakeObject | undefined)[] {
    type Subject = { kind?: string; name: string; namespace?: string }
    const nameOf = (one: Subject): string =>
      one.kind === 'ServiceAccount' ? `system:serviceaccount:${one.namespace}:${one.name}` : one.name
    const own = this.store.list(bindings).filter(({ subjects }) => (subjects as Subject[]).some((one) => nameOf(one) === user))
    return own.map(({ roleRef }) => this.store.find(roles, (roleRef as { name: string }).name))
  }
  #issue({ namespace = '', name = '' }: Place, body: Record<string, unknown>): object {
    const { expirationSeconds: seconds = 0 } = body.spec as { expirationSeconds?: number }
    this.store.must(`/api/v1/namespaces/${namespace}/serviceaccounts`, name)
    if (seconds < 600) throw new Refusal(422, 'spec.expirationSeconds: may not specify a duration less than 10 minutes')
    const token = `issued-${this.#issued.size + 1}-0123456789`
    const until = Date.now() + seconds * 1000
    this.#issued.set(token, { user: `system:serviceaccount:${namespace}:${name}`, until })
    return { kind: 'TokenRequest', status: { token, expirationTimestamp: new Date(until).toISOString() } }
  }
  /** As if it had ended. */
  expireIssued(): void {
    for (const [token, { user }] of this.#issued) this.#issued.set(token, { user, until: 0 })
  }

  /** Roles of the namespace, by resource names; the administrator may do everything. */
  #may(user: string, verb: string, group: string, resource: string, name?: string, namespace?: string): boolean {
    if (user === 'admin') return true
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    const roles = [
      ...this.#rolesOf(user, `${rbac}/namespaces/${namespace}/rolebindings`, `${rbac}/namespaces/${namespace}/roles`),
      ...this.#rolesOf(user, `${rbac}/clusterrolebindings`, `${rbac}/clusterroles`),
    ]
    type Rule = { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }
    return roles
      .flatMap((role) => (role?.rules ?? []) as Rule[])
      .some(
        (rule) =>
          rule.apiGroups.includes(group) &&
          rule.resources.includes(resource) &&
          rule.verbs.includes(verb) &&
          (rule.resourceNames === undefined || (name !== undefined && rule.resourceNames.includes(name))),
      )
  }
}

/** 404 in plain words for a group that nobody serves. */
function placeOf(path: string): Place {
  const found = /^(\/api\/v1|\/apis\/([^/]+)\/[^/]+)(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path)
  const [, root = '', group = '', namespace, resource = '', name, part] = found ?? []
  if (!found || (group !== '' && !groups.includes(group))) throw new Refusal(404, '404 page not found')
  const collection = `${root}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${resource}`
  return { collection, group, resource, ...(namespace ? { namespace } : {}), ...(name ? { name } : {}), ...(part ? { part } : {}) }
}

function selected(all: readonly FakeObject[], selector: string | null): readonly FakeObject[] {
  if (selector === null || selector === '') return all
  const terms = selector.split(/,(?![^(]*\))/).map((term) => {
    const [, key = '', values = ''] = /^(\S+) in \((.*)\)$/.exec(term) ?? []
    return key === '' ? ([term.split('=')[0] ?? '', [term.split('=')[1] ?? '']] as const) : ([key, values.split(',')] as const)
  })
  return all.filter(({ metadata }) => terms.every(([key, values]) => values.includes(metadata.labels?.[key] ?? '')))
}

/** A page of a list, and where the next begins, as the real one's limit and continue. */
function paged(list: object, { searchParams }: URL): object {
  const items = 'items' in list && Array.isArray(list.items) ? list.items : []
  const [limit, from] = [Number(searchParams.get('limit') ?? 0), Number(searchParams.get('continue') ?? 0)]
  if (limit === 0 || items.length <= limit) return list
  const next = from + limit < items.length ? String(from + limit) : ''
  return { ...list, metadata: { continue: next }, items: items.slice(from, from + limit) }
}
