import * as v from 'valibot'
import { codeOf, messageOf, RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import { SecretText } from '../core/secret-text.js'
import { configMapPlace } from '../kubernetes/settings.js'
import { type Configuration, noConfiguration } from '../lifecycle/secret/deps.js'
import { type ConfigText, configForm, policyOf } from './config-form.js'

/** Parses the configuration secret. bad_config lists every problem by its path. The text may hold keys, so it is never quoted. */
export function parseConfiguration(text: SecretText): Configuration {
  const result = v.safeParse(configForm, jsonOf(text))
  if (!result.success) {
    const problems = result.issues.map((issue) => `${v.getDotPath(issue) ?? 'the object'} ${sayOf(issue)}`)
    throw new RotationError('bad_config', `The configuration is wrong: ${problems.join('; ')}.`, {
      field: v.getDotPath(result.issues[0]) ?? 'KEYTURN_CONFIG',
      next: 'Correct it, check it with keyturn config check -f FILE, then put it again. keyturn schema config prints what is allowed.',
    })
  }
  const { consumers, clusters, defaults, freezes, paused } = result.output
  assertKnown(Object.keys(consumers), defaults)
  assertClusters(consumers, clusters)
  assertCompanions(result.output)
  return {
    companions: companionsOf(result.output),
    consumers: consumersOf(result.output),
    defaults: Object.fromEntries(Object.entries(defaults).map(([type, entries]) => [type, policyOf(entries ?? {})])),
    freezes: freezes.map(({ from, to, reason }) => ({ from: Date.parse(from), to: Date.parse(to), reason })),
    paused,
  }
}

function companionsOf({ companions, clusters }: ConfigText): Configuration['companions'] {
  const entries = Object.entries(companions).map(([name, { content, of, at, order, write }]) => {
    const usual = content === 'public-set' || content === 'digests' ? 'before' : 'after'
    const settings = new SecretText(JSON.stringify({ write, access: clusters[clusterOf(at)] }))
    return [name, { name, content, of, at, order: order ?? usual, settings }] as const
  })
  return Object.fromEntries(entries)
}

function consumersOf({ consumers, clusters }: ConfigText): Configuration['consumers'] {
  const entries = Object.entries(consumers).map(([key, { kind, required, ...own }]) => {
    const settings = new SecretText(JSON.stringify({ ...own, ...accessOf(own, clusters) }))
    return [key, { key, kind, required, ...placeOf(own), settings }] as const
  })
  return Object.fromEntries(entries)
}

/** The cluster that a consumer's settings name, whatever kind of consumer it is. */
const clusterIn = (settings: object): string | undefined =>
  'cluster' in settings && typeof settings.cluster === 'string' ? settings.cluster : undefined

/** Tells people which of several clusters is behind, or down. */
function placeOf(settings: object): { readonly place?: string } {
  const cluster = clusterIn(settings)
  return cluster === undefined ? {} : { place: `cluster ${cluster}` }
}

function assertKnown(known: readonly string[], defaults: ConfigText['defaults']): void {
  for (const [type, entries] of Object.entries(defaults)) {
    const unknown = (entries?.consumers ?? 'none').split(/ +/).filter((name) => name !== 'none' && !known.includes(name))
    if (unknown.length === 0) continue
    throw new RotationError(
      'bad_config',
      `The configuration is wrong: defaults.${type}.consumers names unknown consumers: ${unknown.join(', ')}.`,
      {
        field: `defaults.${type}.consumers`,
        next: `Add it under consumers, or correct the name. Known: ${known.join(', ') || 'none'}.`,
      },
    )
  }
}

const clusterOf = (at: string): string => configMapPlace(at.replace(/^configmap:/, ''))?.cluster ?? ''
const placeless = (at: string, clusters: ConfigText['clusters']): string | undefined =>
  at.startsWith('configmap:') && !Object.hasOwn(clusters, clusterOf(at))
    ? `${at} is not cluster/namespace/name#key with a cluster of this configuration`
    : undefined

/** Consumers and companions share one list of names, and one place has one source. */
function assertCompanions({ companions, consumers, clusters }: Pick<ConfigText, 'companions' | 'consumers' | 'clusters'>): void {
  const all = Object.entries(companions)
  const whyNot = (name: string, { at, of }: (typeof companions)[string]): string | undefined => {
    if (Object.hasOwn(consumers, name)) return `${name} is the name of a consumer, too`
    if (at === of) return `${at} is its own source`
    const [other] = all.find(([each, one]) => each !== name && one.at === at) ?? []
    return other === undefined ? placeless(at, clusters) : `${other} has the same place`
  }
  for (const [name, companion] of all) {
    const why = whyNot(name, companion)
    if (why === undefined) continue
    throw new RotationError('bad_config', `The configuration is wrong: companions.${name}: ${why}.`, {
      field: `companions.${name}`,
      next: 'Give each companion its own name and place.',
    })
  }
}

/** A consumer carries the access to its cluster, because a notifier knows no other part of the configuration. */
function accessOf(settings: object, clusters: ConfigText['clusters']): object {
  const cluster = clusterIn(settings)
  return cluster === undefined ? {} : { access: clusters[cluster] }
}

function assertClusters(consumers: ConfigText['consumers'], clusters: ConfigText['clusters']): void {
  for (const [key, consumer] of Object.entries(consumers)) {
    const cluster = clusterIn(consumer)
    if (cluster === undefined || Object.hasOwn(clusters, cluster)) continue
    const field = `consumers.${key}.cluster`
    throw new RotationError('bad_config', `The configuration is wrong: ${field} names the unknown cluster ${cluster}.`, {
      field,
      next: `Add it under clusters, or correct the name. Known: ${Object.keys(clusters).join(', ') || 'none'}.`,
    })
  }
}

/** Says what is wrong without Valibot's own message, which quotes what it received: that may be a key. */
const sayOf = (issue: v.BaseIssue<unknown>): string => {
  const at = issue.path?.at(-1)
  const isField = issue.type === 'strict_object' || at?.origin === 'key'
  const isAtTop = issue.path?.length === 1 || issue.path?.[0]?.key === 'defaults'
  if (isField && isAtTop && at?.key === 'targets') return 'is now called consumers'
  if (issue.type === 'strict_object') return 'is unknown'
  const own = issue.message.startsWith('Invalid ') ? undefined : issue.message
  return own ?? (issue.received === 'undefined' ? 'is missing' : `must be ${wordsOf(issue)}`)
}

function wordsOf({ expected, type }: v.BaseIssue<unknown>): string {
  if (expected === '!0') return 'a text that is not empty'
  return expected ?? `a valid ${type.replaceAll('_', ' ')}`
}

function jsonOf(text: SecretText): object {
  const failConfiguration = (why: string): never => {
    throw new RotationError('bad_config', `The configuration is ${why}.`, {
      field: 'KEYTURN_CONFIG',
      next: 'Correct it, then put it again.',
    })
  }
  try {
    const value: unknown = JSON.parse(text.reveal())
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? value : failConfiguration('not a JSON object')
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    const [position = ''] = / at position \d+/.exec(cause.message) ?? [] // only the position: the rest of the message may quote a key
    return failConfiguration(`not well-formed JSON${position}`)
  }
}

const refreshMs = 5 * 60_000

/**
 * Reads the configuration when it is first needed, and again after five minutes. If a new version is broken or cannot be read, the last good version
 * is used, in a new process the previous one, and the log says so. Without a good version the error is thrown.
 */
export class ConfigurationSource {
  readonly #read: (stage: 'current' | 'previous') => Promise<SecretText | undefined>
  readonly #env: Env
  #good: Configuration | undefined
  #readAt = Number.NEGATIVE_INFINITY

  constructor(read: (stage: 'current' | 'previous') => Promise<SecretText | undefined>, env: Env) {
    this.#read = read
    this.#env = env
  }

  async get(): Promise<Configuration> {
    const now = this.#env.now()
    if (this.#good !== undefined && now - this.#readAt < refreshMs) return this.#good
    try {
      this.#good = await this.#parsed('current')
    } catch (cause) {
      this.#good ??= await this.#before(cause)
      this.#env.log('config_kept', { code: codeOf(cause) ?? 'internal', why: messageOf(cause) })
    }
    this.#readAt = now
    return this.#good
  }

  async #parsed(stage: 'current' | 'previous'): Promise<Configuration> {
    const text = await this.#read(stage)
    if (text !== undefined) return parseConfiguration(text)
    throw new RotationError('bad_config', 'The configuration secret has no value.', {
      field: 'KEYTURN_CONFIG',
      next: 'Put one with keyturn put.',
    })
  }

  /** A new process knows no last good version: the previous one is the nearest to it. */
  async #before(cause: unknown): Promise<Configuration> {
    try {
      return await this.#parsed('previous')
    } catch (earlier) {
      if (!(earlier instanceof RotationError)) throw earlier
      throw cause
    }
  }
}

/** The configuration if no configuration secret is named. */
export const withoutConfiguration = async (): Promise<Configuration> => noConfiguration
