import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { CompactSign, calculateJwkThumbprint, compactVerify, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { type PublicJwk, publicJwk } from '../../core/public-key.js'
import { SecretText } from '../../core/secret-text.js'
import type { Algorithm } from './algorithms.js'

/** A key that signs, now or next. */
export interface SigningKey {
  /** RFC 7638, or what it was called before it was adopted; undefined for one that was adopted without a name. */
  readonly kid: string | undefined
  readonly algorithm: Algorithm
  /** From when on it may sign. */
  readonly notBefore: number
  /** The private key as a JWK. */
  readonly jwk: SecretText
  /** Its private members and the lines of its PEM forms, each by itself: so that none of them gets through a filter of secrets. */
  readonly parts: readonly SecretText[]
}

/** What is left of a key that does not sign any more. */
export interface FormerKey {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly notBefore: number
  /** Until when its tokens are accepted. */
  readonly notAfter: number
  readonly public: PublicJwk
}

/** `kid` is the thumbprint of RFC 7638: never given twice, since it says what the key is. */
export async function newKey(algorithm: Algorithm, bits: number, notBefore: number): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(algorithm, { modulusLength: bits, extractable: true })
  const jwk = await exportJWK(privateKey)
  return { kid: await calculateJwkThumbprint(jwk), algorithm, notBefore, ...secretsOf(createPrivateKey({ key: jwk, format: 'jwk' })) }
}

/** Of a private key: what must not be shown. */
export function secretsOf(key: KeyObject): Pick<SigningKey, 'jwk' | 'parts'> {
  const jwk = key.export({ format: 'jwk' })
  const { d, p, q, dp, dq, qi } = jwk
  const types = { rsa: ['pkcs8', 'pkcs1'], ec: ['pkcs8', 'sec1'] } as const
  const forms = Object.hasOwn(types, key.asymmetricKeyType ?? '')
    ? types[key.asymmetricKeyType as keyof typeof types]
    : (['pkcs8'] as const)
  const lines = forms
    .flatMap((type) => String(key.export({ type, format: 'pem' })).split('\n'))
    .filter((line) => !/^(-----.*)?$/.test(line))
  const parts = [d, p, q, dp, dq, qi].flatMap((member) => member ?? [])
  return { jwk: new SecretText(JSON.stringify(jwk)), parts: [...parts, ...lines].map((part) => new SecretText(part)) }
}

/** With a name: its own, or its thumbprint. */
export async function named(key: SigningKey): Promise<SigningKey & { readonly kid: string }> {
  return { ...key, kid: key.kid ?? (await calculateJwkThumbprint(jwkOf(key))) }
}

const jwkOf = ({ jwk }: SigningKey): JWK => JSON.parse(jwk.reveal()) as JWK

/** undefined while it has no name. */
export const publicOf = (key: SigningKey): PublicJwk | undefined => publicJwk({ ...jwkOf(key), kid: key.kid, alg: key.algorithm })

/** Keeps the public half of a key that stops signing; undefined where there is none. Its tokens are accepted until `notAfter`, epoch milliseconds. */
export function former(key: SigningKey & { readonly kid: string }, notAfter: number): FormerKey | undefined {
  const half = publicOf(key)
  const { kid, algorithm, notBefore } = key
  return half && { kid, algorithm, notBefore, notAfter, public: half }
}

const probe = new TextEncoder().encode('keyturn')
/** Whether what a key signs is verified by a public half. */
export async function signsFor(key: SigningKey, half: PublicJwk): Promise<boolean> {
  const { algorithm: alg } = key
  const token = await new CompactSign(probe).setProtectedHeader({ alg }).sign(await importJWK(jwkOf(key), alg))
  try {
    await compactVerify(token, await importJWK({ ...half }, alg), { algorithms: [alg] })
    return true
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED') return false
    throw cause
  }
}

const keyObject = (key: SigningKey): KeyObject => createPrivateKey({ key: JSON.parse(key.jwk.reveal()), format: 'jwk' })

/** The PEM form that stood there: PKCS #1 and SEC 1 where it was one, else PKCS #8. */
export function privatePem(key: SigningKey, like: string): string {
  const object = keyObject(key)
  if (like.includes('BEGIN RSA PRIVATE KEY') && object.asymmetricKeyType === 'rsa')
    return String(object.export({ type: 'pkcs1', format: 'pem' }))
  if (like.includes('BEGIN EC PRIVATE KEY') && object.asymmetricKeyType === 'ec')
    return String(object.export({ type: 'sec1', format: 'pem' }))
  return String(object.export({ type: 'pkcs8', format: 'pem' }))
}

/** Writes the public half in the PEM form of `like`: PKCS #1 where that was one and the key is RSA, else SPKI. */
export function publicPem(key: SigningKey, like: string): string {
  const object = createPublicKey(keyObject(key))
  const old = like.includes('BEGIN RSA PUBLIC KEY') && object.asymmetricKeyType === 'rsa'
  return String(object.export({ type: old ? 'pkcs1' : 'spki', format: 'pem' }))
}
