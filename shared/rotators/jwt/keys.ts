import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { CompactSign, calculateJwkThumbprint, compactVerify, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { type PublicJwk, publicJwk } from '../../core/public-key.js'
import { SecretText } from '../../core/secret-text.js'
import type { Algorithm } from './algorithms.js'

/** A key that signs, now or next. */
export interface SigningKey {
  /** The thumbprint of RFC 7638, or the name that the key had when it was adopted; undefined where it had none. */
  readonly kid: string | undefined
  readonly algorithm: Algorithm
  /** The time from which it may sign. */
  readonly notBefore: number
  /** The private key as a JWK. */
  readonly jwk: SecretText
  /** Its private members and the lines of its PEM forms, each by itself, so that a filter of secrets finds every one of them. */
  readonly parts: readonly SecretText[]
}

/** What is kept of a key that no longer signs. */
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
  const kid = await calculateJwkThumbprint(jwk)
  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  return { kid, algorithm, notBefore, ...secretsOf(key) }
}

/** The texts of a private key that must not be shown. */
export function secretsOf(key: KeyObject): Pick<SigningKey, 'jwk' | 'parts'> {
  const jwk = key.export({ format: 'jwk' })
  const { d, p, q, dp, dq, qi } = jwk
  const members = [d, p, q, dp, dq, qi].flatMap((member) => member ?? [])
  const parts = [...members, ...pemLines(key)]
  return {
    jwk: new SecretText(JSON.stringify(jwk)),
    parts: parts.map((part) => new SecretText(part)),
  }
}

/** The lines of every PEM form that the key has, without the lines that frame them. */
function pemLines(key: KeyObject): readonly string[] {
  const isFrame = (line: string): boolean => /^(-----.*)?$/.test(line)
  return pemTypes(key)
    .flatMap((type) => String(key.export({ type, format: 'pem' })).split('\n'))
    .filter((line) => !isFrame(line))
}

function pemTypes({ asymmetricKeyType }: KeyObject): readonly ('pkcs8' | 'pkcs1' | 'sec1')[] {
  if (asymmetricKeyType === 'rsa') return ['pkcs8', 'pkcs1']
  if (asymmetricKeyType === 'ec') return ['pkcs8', 'sec1']
  return ['pkcs8']
}

type NamedKey = SigningKey & { readonly kid: string }
/** The key with a name: its own, or its thumbprint. */
export async function named(key: SigningKey): Promise<NamedKey> {
  const kid = key.kid ?? (await calculateJwkThumbprint(jwkOf(key)))
  return { ...key, kid }
}

const jwkOf = ({ jwk }: SigningKey): JWK => JSON.parse(jwk.reveal()) as JWK

/** The public half of a key; undefined while the key has no name. */
export function publicOf(key: SigningKey): PublicJwk | undefined {
  const { kid, algorithm: alg } = key
  return publicJwk({ ...jwkOf(key), kid, alg })
}

/** Keeps the public half of a key that stops signing; undefined where there is none. Its tokens are accepted until `notAfter`, epoch milliseconds. */
export function former(key: NamedKey, notAfter: number): FormerKey | undefined {
  const half = publicOf(key)
  const { kid, algorithm, notBefore } = key
  return half && { kid, algorithm, notBefore, notAfter, public: half }
}

const probe = new TextEncoder().encode('keyturn')
const wrongSignature = 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'
/** Whether a public half verifies what a key signs. */
export async function signsFor(key: SigningKey, half: PublicJwk): Promise<boolean> {
  const { algorithm: alg } = key
  const signer = await importJWK(jwkOf(key), alg)
  const token = await new CompactSign(probe).setProtectedHeader({ alg }).sign(signer)
  try {
    const verifier = await importJWK({ ...half }, alg)
    await compactVerify(token, verifier, { algorithms: [alg] })
    return true
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === wrongSignature) return false
    throw cause
  }
}

const keyObject = (key: SigningKey): KeyObject => createPrivateKey({ key: JSON.parse(key.jwk.reveal()), format: 'jwk' })

/** Writes the private key in the PEM form of `like`: PKCS #1 or SEC 1 where that was one, else PKCS #8. */
export function privatePem(key: SigningKey, like: string): string {
  const object = keyObject(key)
  const { asymmetricKeyType: kind } = object
  const pem = (type: 'pkcs1' | 'sec1' | 'pkcs8') => String(object.export({ type, format: 'pem' }))
  if (like.includes('BEGIN RSA PRIVATE KEY') && kind === 'rsa') return pem('pkcs1')
  if (like.includes('BEGIN EC PRIVATE KEY') && kind === 'ec') return pem('sec1')
  return pem('pkcs8')
}

/** Writes the public half in the PEM form of `like`: PKCS #1 where that was one and the key is RSA, else SPKI. */
export function publicPem(key: SigningKey, like: string): string {
  const object = createPublicKey(keyObject(key))
  const isRsa = object.asymmetricKeyType === 'rsa'
  const type = like.includes('BEGIN RSA PUBLIC KEY') && isRsa ? 'pkcs1' : 'spki'
  return String(object.export({ type, format: 'pem' }))
}
