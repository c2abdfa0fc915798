import { dirname, resolve } from 'node:path'
import * as v from 'valibot'
import { parse, YAMLError } from 'yaml'
import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import { SecretText } from '../core/secret-text.js'
import { type Access, fileToken, readText } from './files.js'

const text = v.optional(v.string())
const named = <const S extends v.GenericSchema>(key: string, schema: S) =>
  v.optional(v.array(v.object({ name: v.string(), [key]: schema })), [])
const clusterForm = v.object({
  server: v.pipe(v.string(), v.regex(/^https:\/\/[^?#@]+$/i, 'must be an https URL without a user, a query or a fragment')),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': v.optional(v.boolean(), false),
  'tls-server-name': text,
  'proxy-url': text,
})
const userForm = v.object({
  token: text,
  tokenFile: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  exec: v.optional(v.unknown()),
  'auth-provider': v.optional(v.unknown()),
  username: text,
  as: text,
})
const contextForm = v.object({ cluster: v.string(), user: v.string() })
const form = v.object({
  'current-context': text,
  clusters: named('cluster', clusterForm),
  users: named('user', userForm),
  contexts: named('context', contextForm),
})
type Kubeconfig = v.InferOutput<typeof form>

/**
 * The access that one context of a kubeconfig file describes: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. Relative files are
 * beside it. bad_config for what is missing or named twice, and for what would run a program or weaken TLS: exec plugins, auth providers,
 * passwords, impersonation, proxies, insecure-skip-tls-verify.
 */
export async function fromKubeconfig(name: string, file: string, context: string | undefined, now: () => number): Promise<Access> {
  const configError = (why: string, next: string, field = 'kubeconfig'): RotationError =>
    new RotationError('bad_config', `The kubeconfig ${file} of cluster ${name} ${why}.`, { field: `clusters.${name}.${field}`, next })
  const config = read(await readText(name, 'kubeconfig', file), configError)
  const wanted = context ?? config['current-context']
  if (wanted === undefined || wanted === '')
    throw configError('has no current-context', 'Name one: "context": "…", or run kubectl config use-context.', 'context')
  const one = <T>(all: readonly Record<string, unknown>[], kind: string, key: string): T => {
    const found = all.filter((entry) => entry.name === key)
    const [first] = found
    if (first === undefined || found.length > 1)
      throw configError(
        `has ${found.length === 0 ? 'no' : `${found.length} entries for the`} ${kind} ${key}`,
        'kubectl config view shows what there is.',
        'context',
      )
    return first[kind] as T
  }
  const { cluster, user } = one<v.InferOutput<typeof contextForm>>(config.contexts, 'context', wanted)
  const place = one<v.InferOutput<typeof clusterForm>>(config.clusters, 'cluster', cluster)
  const who = one<v.InferOutput<typeof userForm>>(config.users, 'user', user)
  assertPlain(place, who, configError)
  const fileOf = (path: string): string => resolve(dirname(file), path)
  const content = async (data: string | undefined, path: string | undefined): Promise<string | undefined> =>
    data !== undefined
      ? Buffer.from(data, 'base64').toString('utf8')
      : path === undefined
        ? undefined
        : readText(name, 'kubeconfig', fileOf(path))
  const ca = await content(place['certificate-authority-data'], place['certificate-authority'])
  const cert = await content(who['client-certificate-data'], who['client-certificate'])
  const key = await content(who['client-key-data'], who['client-key'])
  const { token, tokenFile } = who
  if (token === undefined && tokenFile === undefined && (cert === undefined || key === undefined))
    throw configError(`has neither a token nor a client certificate for ${user}`, 'Add one, or use the token of a ServiceAccount.')
  return {
    server: place.server,
    ...optional('ca', ca),
    ...(place['tls-server-name'] === undefined ? {} : { servername: place['tls-server-name'] }),
    ...(cert === undefined || key === undefined ? {} : { cert, key: new SecretText(key) }),
    ...(tokenFile !== undefined
      ? { token: fileToken(name, fileOf(tokenFile), now) }
      : token === undefined
        ? {}
        : { token: async () => new SecretText(token) }),
  }
}

type Wrong = (why: string, next: string, field?: string) => RotationError

/** What the parser says of a place is passed on, the text itself never: it holds tokens. */
function read(yaml: string, wrong: Wrong): Kubeconfig {
  let parsed: unknown
  try {
    parsed = parse(yaml, { prettyErrors: false })
  } catch (cause) {
    if (!(cause instanceof YAMLError)) throw cause
    throw wrong(`is no YAML (${cause.code} at character ${cause.pos[0]})`, 'kubectl config view shows whether it can be read.')
  }
  const result = v.safeParse(form, parsed)
  if (result.success) return result.output
  throw wrong(`is mis-set at ${v.getDotPath(result.issues[0]) ?? 'its top'}`, 'kubectl config view shows what it says.')
}

function assertPlain(place: v.InferOutput<typeof clusterForm>, who: v.InferOutput<typeof userForm>, wrong: Wrong): void {
  if (place['insecure-skip-tls-verify'])
    throw wrong('says insecure-skip-tls-verify', 'Set certificate-authority-data: who answers there is not checked.')
  if (place['proxy-url'] !== undefined) throw wrong('names a proxy', 'Name a server that can be reached without one.')
  if (who.as !== undefined) throw wrong('impersonates another user', 'Use "serviceAccount": "namespace/name" for a narrower account.')
  const odd = who.exec !== undefined ? 'runs an exec plugin' : who['auth-provider'] !== undefined ? 'has an auth-provider' : undefined
  if (odd !== undefined || who.username !== undefined)
    throw wrong(odd ?? 'has a password', 'Use the token of a ServiceAccount, or a client certificate; no program is run here.')
}
