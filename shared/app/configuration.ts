import { codeOf, messageOf, RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import { SecretText } from '../core/secret-text.js'
import { configMapPlace } from '../kubernetes/settings.js'
import { type Configuration, noConfiguration } from '../lifecycle/secret/deps.js'
import { type ConfigText, configForm, policyOf } from './config-form.js'
import { readForm } from './config-problems.js'

/** Parses the configuration secret. bad_config lists every problem by its path. The text may hold keys, so it is never quoted. */
export function parseConfiguration(text: SecretText): Configuration {
  const read = readForm(configForm, jsonOf(text))
  if ('problems' in read) {
    const all = read.problems.map(({ path, says }) => `${path} ${says}`)
    throw new RotationError('bad_config', `The configuration is wrong: ${all.join('; ')}.`, {
      field: read.problems[0].path,
      next: 'Correct it, check it with keyturn config check -f FILE, then put it again. keyturn schema config prints what is allowed.',
    })
  }
  const { consumers, defaults, freezes, paused } = read.output
  assertKnown(Object.keys(consumers), defaults)
  assertClusters(read.output)
  assertCompanions(read.output)
  return {
    companions: companionsOf(read.output),
    consumers: consumersOf(read.output),
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

/** The cluster of a ConfigMap; empty for any other place. */
const clusterOf = (at: string): string =>
  at.startsWith('configmap:') ? (configMapPlace(at.replace(/^configmap:/, ''))?.cluster ?? '') : ''

/** Consumers and companions share one list of names, and one place has one source. */
function assertCompanions({ companions, consumers }: Pick<ConfigText, 'companions' | 'consumers'>): void {
  const all = Object.entries(companions)
  const whyNot = (name: string, { at, of }: (typeof companions)[string]): string | undefined => {
    if (Object.hasOwn(consumers, name)) return `${name} is the name of a consumer, too`
    if (at === of) return `${at} is its own source`
    const [other] = all.find(([each, one]) => each !== name && one.at === at) ?? []
    return other === undefined ? undefined : `${other} has the same place`
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

function assertClusters({ consumers, companions, clusters }: Pick<ConfigText, 'consumers' | 'companions' | 'clusters'>): void {
  const named = [
    ...Object.entries(consumers).map(([key, consumer]) => [`consumers.${key}.cluster`, clusterIn(consumer) ?? ''] as const),
    ...Object.entries(companions).map(([name, { at }]) => [`companions.${name}.at`, clusterOf(at)] as const),
  ]
  for (const [field, cluster] of named) {
    if (cluster === '' || Object.hasOwn(clusters, cluster)) continue
    throw new RotationError('bad_config', `The configuration is wrong: ${field} names the unknown cluster ${cluster}.`, {
      field,
      next: `Add it under clusters, or correct the name. Known: ${Object.keys(clusters).join(', ') || 'none'}.`,
    })
  }
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
    return isObject ? value : failConfiguration(Array.isArray(value) ? 'a list, not a JSON object' : 'not a JSON object')
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
