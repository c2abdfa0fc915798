import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  timingSafeEqual,
  verify as verifyBytes,
} from 'node:crypto'
import * as v from 'valibot'
import type { Callback, CheckCallback } from './ports/notifier.js'
import { SecretText } from './secret-text.js'

/** The three headers of Standard Webhooks (github.com/standard-webhooks, specification 1.0). */
export interface SignedHeaders {
  readonly 'webhook-id': string
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

const forms = { whsec_: 'symmetric', whsk_: 'private', whpk_: 'public' } as const
export const keyForm = /^(whsec_|whsk_|whpk_)[A-Za-z0-9+/]+={0,2}$/
const pkcs8Ed25519 = Buffer.from('302e020100300506032b657004220420', 'hex') // RFC 8410, 7: the bytes before the 32 of the seed
const spkiEd25519 = Buffer.from('302a300506032b6570032100', 'hex') // RFC 8410, 4

type ReadKey = { readonly kind: 'symmetric'; readonly bytes: Buffer } | { readonly kind: 'private' | 'public'; readonly key: KeyObject }

/**
 * Reads a key: 24 to 64 random bytes after whsec_, or an Ed25519 key of 32 bytes (a private one may have 64, with the public half at the end).
 * undefined for anything else.
 */
export function readKey(text: SecretText): ReadKey | undefined {
  const [, prefix = '', ...rest] = /^(whsec_|whsk_|whpk_)(.*)$/.exec(text.reveal()) ?? []
  const bytes = Buffer.from(rest.join(''), 'base64')
  const kind = keyForm.test(text.reveal()) ? forms[prefix as keyof typeof forms] : undefined
  if (kind === 'symmetric') return bytes.length >= 24 && bytes.length <= 64 ? { kind, bytes } : undefined
  if (kind === 'private' && (bytes.length === 32 || bytes.length === 64))
    return { kind, key: createPrivateKey({ key: Buffer.concat([pkcs8Ed25519, bytes.subarray(0, 32)]), format: 'der', type: 'pkcs8' }) }
  if (kind === 'public' && bytes.length === 32)
    return { kind, key: createPublicKey({ key: Buffer.concat([spkiEd25519, bytes]), format: 'der', type: 'spki' }) }
  return undefined
}

/** The form of a key in the configuration secret. */
export const keyOfConfiguration = v.pipe(
  v.string(),
  v.regex(keyForm, 'must be whsec_, whsk_ or whpk_ and base64'),
  v.check((text) => readKey(new SecretText(text)) !== undefined, 'has the wrong number of bytes'),
)

/** Signs a message with each key, so that a receiver accepts it whether it knows the old key or the new one. Public keys sign nothing. */
export function signMessage(keys: readonly SecretText[], id: string, timestampMs: number, body: string): SignedHeaders {
  const seconds = String(Math.floor(timestampMs / 1000))
  const content = Buffer.from(`${id}.${seconds}.${body}`)
  const signatures = keys.flatMap((text) => {
    const key = readKey(text)
    if (key?.kind === 'symmetric') return [`v1,${createHmac('sha256', key.bytes).update(content).digest('base64')}`]
    return key?.kind === 'private' ? [`v1a,${signBytes(null, content, key.key).toString('base64')}`] : []
  })
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': signatures.join(' ') }
}

export const replayWindowMs = 5 * 60_000

/** Why a message is not signed well; undefined where one signature fits one key and the time is within five minutes. */
export function whyNotSigned(
  keys: readonly SecretText[],
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: string,
  now: number,
): string | undefined {
  const [id, seconds, given] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers[name])
  if (typeof id !== 'string' || typeof seconds !== 'string' || typeof given !== 'string') return 'it is not signed'
  if (!/^\d{1,12}$/.test(seconds) || Math.abs(now - Number(seconds) * 1000) > replayWindowMs)
    return 'its time is more than five minutes away'
  const content = Buffer.from(`${id}.${seconds}.${body}`)
  const fits = given.split(' ').some((one) => {
    const [version, signature = ''] = one.split(',')
    return keys.some((text) => signatureFits(readKey(text), version, Buffer.from(signature, 'base64'), content))
  })
  return fits ? undefined : 'its signature fits no key of this consumer'
}

/** As `CheckCallback`, by the keys of a consumer. The signature covers the time: a message that is sent again is as old as it was. */
export function checkSigned(keys: readonly SecretText[], { headers, body }: Callback, now: number): ReturnType<CheckCallback> {
  const why = whyNotSigned(keys, headers, body, now)
  return why === undefined ? { signedAt: Number(headers['webhook-timestamp']) * 1000 } : { why }
}

function signatureFits(key: ReadKey | undefined, version: string | undefined, signature: Buffer, content: Buffer): boolean {
  if (key?.kind === 'symmetric' && version === 'v1') {
    const expected = createHmac('sha256', key.bytes).update(content).digest()
    return signature.length === expected.length && timingSafeEqual(signature, expected)
  }
  return key?.kind === 'public' && version === 'v1a' && verifyBytes(null, content, key.key, signature)
}
