import * as v from 'valibot'
import { RotationError } from '../core/errors.js'
import { commonKeys, parsePolicy, prefix } from '../core/policy/index.js'
import { credentialTypes } from '../core/ports/rotator.js'
import { clusterSettings, configMapPlace } from '../kubernetes/settings.js'
import { companionContents } from '../lifecycle/secret/deps.js'
import { type NotifierRow, notifiers } from '../notifiers/registry.js'

/** The form of a consumer: what every consumer has, and the settings of its notifier. */
const consumerForm = (kind: string, { settings, whyNot, whyNeverRequired }: NotifierRow) =>
  v.pipe(
    v.strictObject({
      kind: v.literal(kind),
      required: v.optional(whyNeverRequired === undefined ? v.boolean() : v.literal(false, whyNeverRequired), false),
      ...settings.entries,
    }),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return
      const { kind: _, required, ...set } = dataset.value
      const wrong = whyNot(set, required)
      if (wrong !== undefined) addIssue({ message: wrong })
    }),
  )
const consumer = v.variant(
  'kind',
  Object.entries(notifiers).map(([kind, row]) => consumerForm(kind, row)),
)

const name = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be at most 63 characters of a-z 0-9 . _ -, beginning with a letter or digit'),
  v.check((text) => text !== 'none', 'must not be "none", which means no consumer'),
)
const isConfigMap = (at: string): boolean => configMapPlace(at.slice('configmap:'.length)) !== undefined
const companion = v.pipe(
  v.strictObject({
    content: v.picklist(companionContents, `must be one of ${companionContents.join(', ')}`),
    /** The secret whose credential it carries: no other secret may write it. */
    of: v.pipe(v.string(), v.regex(/^[a-z0-9]+:.+$/, 'must be a secret such as file:db')),
    /** A secret, or path:FILE, or configmap:CLUSTER/NAMESPACE/NAME#KEY for what is public. */
    at: v.pipe(
      v.string(),
      v.regex(/^[a-z0-9]+:.+$/, 'must be a secret such as file:db-url, path:/srv/jwks.json or configmap:cluster/namespace/name#key'),
      v.check((at) => !/^path:[^/]/.test(at), 'has a relative path; give the absolute one, such as path:/srv/jwks.json'),
      v.check((at) => !at.startsWith('configmap:') || isConfigMap(at), 'must be configmap:cluster/namespace/name#key'),
    ),
    order: v.optional(v.picklist(['before', 'after'])),
    /** path: replaced by a rename, or written in place. */
    write: v.optional(v.picklist(['rename', 'plain']), 'rename'),
  }),
  v.check(
    ({ content, order }) => content !== 'public-set' || order !== 'after',
    'is a public set, which is always published before its source',
  ),
  v.check(
    ({ content, at }) => content === 'public-set' || !/^(path|configmap):/.test(at),
    'is not a public set, and only a public set may be outside the stores',
  ),
)
const time = v.pipe(v.string(), v.isoTimestamp('must be a time such as 2026-12-20T00:00:00Z'))
const defaultKeys = commonKeys.map((key) => key.name).filter((key) => !['rotator', 'admin', 'parts', 'companions'].includes(key))
const defaults = v.pipe(
  v.record(v.picklist(defaultKeys, `must be one of ${defaultKeys.join(', ')}`), v.string()),
  v.rawCheck(({ dataset, addIssue }) => {
    const wrong = dataset.typed ? whyNotPolicy(dataset.value) : undefined
    if (wrong !== undefined) addIssue({ message: wrong })
  }),
)

/** Checks defaults with the grammar of a secret's own policy. A grace under a minute passes here: each secret is checked with its own grace. */
function whyNotPolicy(entries: Readonly<Record<string, string>>): string | undefined {
  try {
    parsePolicy(policyOf(entries), { shortGrace: true })
    return undefined
  } catch (cause) {
    if (cause instanceof RotationError) return `holds a wrong policy: ${cause.message.replace(/\.$/, '')}`
    throw cause
  }
}

/** The configuration secret: one JSON object. */
export const configForm = v.strictObject({
  $schema: v.optional(v.string()),
  consumers: v.optional(v.record(name, consumer), {}),
  /** API servers that consumers of the kind kubernetes name. */
  clusters: v.optional(v.record(name, clusterSettings), {}),
  /** Other secrets and artefacts that carry a secret's credential; secrets name them in keyturn-companions. */
  companions: v.optional(v.record(name, companion), {}),
  /** Policy keys by credential type, without the prefix keyturn-; a secret's own policy wins. */
  defaults: v.optional(v.record(v.picklist(credentialTypes), defaults), {}),
  /** No rotation starts between from and to; emergencies and open rotations continue. */
  freezes: v.optional(
    v.array(
      v.pipe(
        v.strictObject({ from: time, to: time, reason: v.pipe(v.string(), v.nonEmpty(), v.maxLength(200)) }),
        v.check(({ from, to }) => !(Date.parse(from) >= Date.parse(to)), 'must end after it begins'), // what is not a time says so itself
      ),
    ),
    [],
  ),
  /** Stops every scheduled and ordinary rotation of this installation. */
  paused: v.optional(v.boolean(), false),
})
/** The configuration secret with its defaults, before names in it are looked up. */
export type ConfigText = v.InferOutput<typeof configForm>

/** Puts `keyturn-` in front of each key. */
export const policyOf = (entries: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(entries).map(([key, value]) => [prefix + key, value]))
