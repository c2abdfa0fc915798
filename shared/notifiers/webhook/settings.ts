import { isIP } from 'node:net'
import * as v from 'valibot'
import { keyOfConfiguration as key } from '../../core/signature.js'

const network = v.pipe(
  v.string(),
  v.check((text) => {
    const [address = '', bits = '', ...more] = text.split('/')
    const max = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1
    return more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= max
  }, 'must be a network such as 10.0.0.0/8'),
)

const signs = (text: string): boolean => !text.startsWith('whpk_')

/** The form of its settings in the configuration secret, beside kind and required. */
export const settings = v.strictObject({
  url: v.pipe(v.string(), v.url(), v.regex(/^https?:\/\//i, 'must be an http or https URL'), v.maxLength(2000)),
  /** The keys that sign announcements: two while one replaces the other. A whsec_ key also proves answers and callbacks. */
  keys: v.pipe(
    v.array(key),
    v.minLength(1),
    v.maxLength(3),
    v.check((keys) => keys.some(signs), 'must have one that signs (whsec_ or whsk_); whpk_ only checks'),
  ),
  /** Ed25519 keys (whpk_) of the receiver, for its answers and callbacks. */
  receiptKeys: v.optional(v.pipe(v.array(key), v.maxLength(3)), []),
  /** Private networks that this consumer may be in. All others are refused after name resolution. */
  allow: v.optional(v.pipe(v.array(network), v.maxLength(20)), []),
  /** Without it an http URL is refused. */
  plaintext: v.optional(v.boolean(), false),
  timeoutMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(25_000)), 10_000),
})
/** Why the settings cannot work together; undefined where they can. */
export function whyNot({ url, plaintext, keys, receiptKeys }: WebhookSettings, required: boolean): string | undefined {
  if (/^http:/i.test(url) && !plaintext) return 'has an http URL without "plaintext": true'
  const proves = [...keys, ...receiptKeys].some((text) => /^wh(sec|pk)_/.test(text))
  if (proves || !required) return undefined
  return 'is required, but has no key (whsec_ in keys, whpk_ in receiptKeys) that could prove a receipt'
}
/** The settings with their defaults. `timeoutMs` is for the whole request, answer included. */
export type WebhookSettings = v.InferOutput<typeof settings>
