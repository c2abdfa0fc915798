import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Env } from '../../core/ports/env.js'
import { SecretText } from '../../core/secret-text.js'
import type { StoreKeys } from './keys.js'

/** One sealed value: AES-256-GCM with its own data key, which the store's key wraps. Each part is base64 of nonce, tag and ciphertext. */
export interface Sealed {
  readonly key: string
  readonly value: string
}

const nonceBytes = 12
const tagBytes = 16

/** Additional data that bind a value to its secret and version: a sealed value that is moved elsewhere does not open. */
const bind = (ref: string, version: string, purpose: string): Buffer => Buffer.from(JSON.stringify(['keyturn', purpose, ref, version]))

/** Encrypts a value for one secret and one version, with its own data key. It opens nowhere else. */
export function seal(keys: StoreKeys, ref: string, version: string, value: SecretText, random: Env['random']): Sealed {
  const dataKey = Buffer.from(random(32))
  return {
    key: encrypt(keys.wrap, dataKey, bind(ref, version, 'key'), random),
    value: encrypt(dataKey, Buffer.from(value.reveal()), bind(ref, version, 'value'), random),
  }
}

/** Decrypts a value. Throws the cipher's own error when key, place or text do not fit. */
export function unseal(keys: StoreKeys, ref: string, version: string, sealed: Sealed): SecretText {
  const dataKey = decrypt(keys.wrap, sealed.key, bind(ref, version, 'key'))
  return new SecretText(decrypt(dataKey, sealed.value, bind(ref, version, 'value')).toString('utf8'))
}

function encrypt(key: Buffer, text: Buffer, additional: Buffer, random: Env['random']): string {
  const nonce = random(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(additional)
  const body = Buffer.concat([cipher.update(text), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
}

function decrypt(key: Buffer, text: string, additional: Buffer): Buffer {
  const bytes = Buffer.from(text, 'base64')
  const [nonce, tag, body] = [
    bytes.subarray(0, nonceBytes),
    bytes.subarray(nonceBytes, nonceBytes + tagBytes),
    bytes.subarray(nonceBytes + tagBytes),
  ]
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }).setAAD(additional).setAuthTag(tag)
  return Buffer.concat([decipher.update(body), decipher.final()])
}
