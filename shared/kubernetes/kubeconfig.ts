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
 * The access that one context of a kubeconfig file describes: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. Paths in it are
 * relative to the file. bad_config for what is missing or named twice. bad_config, too, for what would run a program, weaken TLS or make us somebody
 * else: exec plugins, auth providers, passwords, impersonation, proxies, insecure-skip-tls-verify.
 */
export async function fromKubeconfig(name: string, file: string, context: string | undefined, now: () => number): Promise<Access> {
  const configError = (why: string, next: string, field = 'kubeconfig'): RotationError =>
    new RotationError('bad_config', `The kubeconfig ${file} of cluster ${name} ${why}.`, {
      field: `clusters.${name}.${field}`,
      next,
    })
  const config = read(await readText(name, 'kubeconfig', file), configError)
  const wanted = context ?? config['current-context']
  if (wanted === undefined || wanted === '')
    throw configError('has no current-context', 'Name one: "context": "…", or run kubectl config use-context.', 'context')
  const one = <T>(all: readonly Record<string, unknown>[], kind: string, key: string): T => {
    const found = all.filter((entry) => entry.name === key)
    const [first] = found
    if (first === undefined || found.length > 1) {
      const count = found.length === 0 ? 'no' : `${found.length} entries for the`
      throw configError(`has ${count} ${kind} ${key}`, 'kubectl config view shows what it has.', 'context')
    }
    return first[kind] as T
  }
  const { cluster, user } = one<v.InferOutput<typeof contextForm>>(config.contexts, 'context', wanted)
  const place = one<v.InferOutput<typeof clusterForm>>(config.clusters, 'cluster', cluster)
  const who = one<v.InferOutput<typeof userForm>>(config.users, 'user', user)
  assertPlain(place, who, configError)
  const fileOf = (path: string): string => resolve(dirname(file), path)
  const content = async (data: string | undefined, path: string | undefined): Promise<string | undefined> => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8')
    return path === undefined ? undefined : readText(name, 'kubeconfig', fileOf(path))
  }
  const ca = await content(place['certificate-authority-data'], place['certificate-authority'])
  const cert = await content(who['client-certificate-data'], who['client-certificate'])
  const key = await content(who['client-key-data'], who['client-key'])
  const clientPair = cert === undefined || key === undefined ? {} : { cert, key: new SecretText(key) }
  const { token, tokenFile } = who
  if (token === undefined && tokenFile === undefined && !('cert' in clientPair)) {
    const why = `has neither a token nor a client certificate for ${user}`
    throw configError(why, 'Add one, or use the token of a ServiceAccount.')
  }
  const plainToken = token === undefined ? undefined : async () => new SecretText(token)
  const tokenOf = tokenFile === undefined ? plainToken : fileToken(name, fileOf(tokenFile), now)
  return {
    server: place.server,
    ...optional('ca', ca),
    ...optional('servername', place['tls-server-name']),
    ...clientPair,
    ...optional('token', tokenOf),
  }
}

type MakeError = (why: string, next: string, field?: string) => RotationError

/** Parses the file. An error says the place that the parser names, and never the text: it holds tokens. */
function read(yaml: string, configError: MakeError): Kubeconfig {
  let parsed: unknown
  try {
    parsed = parse(yaml, { prettyErrors: false })
  } catch (cause) {
    if (!(cause instanceof YAMLError)) throw cause
    const why = `is not YAML (${cause.code} at character ${cause.pos[0]})`
    throw configError(why, 'kubectl config view shows whether it can be read.')
  }
  const result = v.safeParse(form, parsed)
  if (result.success) return result.output
  const where = v.getDotPath(result.issues[0]) ?? 'its top'
  throw configError(`is misconfigured at ${where}`, 'kubectl config view shows what it says.')
}

function assertPlain(place: v.InferOutput<typeof clusterForm>, who: v.InferOutput<typeof userForm>, configError: MakeError): void {
  if (place['insecure-skip-tls-verify'])
    throw configError(
      'says insecure-skip-tls-verify',
      'Set certificate-authority-data: without it the identity of the server is not checked.',
    )
  if (place['proxy-url'] !== undefined) throw configError('names a proxy', 'Name a server that can be reached without one.')
  if (who.as !== undefined) throw configError('impersonates another user', 'Use "serviceAccount": "namespace/name" for a narrower account.')
  const odd = oddLogin(who)
  if (odd !== undefined) throw configError(odd, 'Use the token of a ServiceAccount, or a client certificate; no program is run here.')
}

function oddLogin(who: v.InferOutput<typeof userForm>): string | undefined {
  if (who.exec !== undefined) return 'runs an exec plugin'
  if (who['auth-provider'] !== undefined) return 'has an auth-provider'
  return who.username === undefined ? undefined : 'has a password'
}
