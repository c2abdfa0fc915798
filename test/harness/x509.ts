import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'

/** What an X.509 certificate is made of (RFC 5280), as far as servers of tests need it: Node reads certificates, but makes none. */
export interface Contents {
  readonly subject: string
  readonly issuer: string
  /** Of the one whom it is for, and of the one who signs. */
  readonly key: KeyObject
  readonly signer: KeyObject
  readonly from: Date
  readonly until: Date
  /** As in a certificate: `IP:127.0.0.1`, `DNS:localhost`; none makes an authority. */
  readonly names?: readonly string[]
}

/** One element of DER: tag, length, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const size = content.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}
const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts)
const octets = (content: Buffer): Buffer => der(0x04, content)
const bits = (content: Buffer): Buffer => der(0x03, hex('00'), content)
const oid = (encoded: string): Buffer => der(0x06, hex(encoded))

const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
const named = (name: string): Buffer => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))))
/** 2026-11-29T21:04:07.000Z is 261129210407Z here. */
const time = (date: Date): Buffer => der(0x17, Buffer.from(`${date.toISOString().replace(/\D/g, '').slice(2, 14)}Z`))

const critical = der(0x01, hex('ff'))
const authorityOnly = [
  sequence(oid('551d13'), critical, octets(sequence(der(0x01, hex('ff'))))), // basicConstraints: CA
  sequence(oid('551d0f'), critical, octets(der(0x03, hex('0106')))), // keyUsage: keyCertSign, cRLSign
]
function alternativeName(name: string): Buffer {
  const [kind, value = ''] = name.split(':')
  return kind === 'IP' ? der(0x87, Buffer.from(value.split('.').map(Number))) : der(0x82, Buffer.from(value))
}
const serverOnly = (names: readonly string[]): readonly Buffer[] => [
  sequence(oid('551d13'), octets(sequence())), // basicConstraints: no CA
  sequence(oid('551d11'), octets(sequence(...names.map(alternativeName)))), // subjectAltName
]

const publicHalf = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' })
const identifier = (key: KeyObject): Buffer => createHash('sha1').update(publicHalf(key)).digest()

/** Signed by a P-256 key; in PEM. */
export function certificateOf({ subject, issuer, key, signer, from, until, names }: Contents): string {
  const extensions = [
    sequence(oid('551d0e'), octets(octets(identifier(key)))), // subjectKeyIdentifier, authorityKeyIdentifier
    sequence(oid('551d23'), octets(sequence(der(0x80, identifier(signer))))),
    ...(names ? serverOnly(names) : authorityOnly),
  ]
  const content = sequence(
    der(0xa0, der(0x02, hex('02'))), // version 3
    der(0x02, hex('01'), randomBytes(15)), // the serial number begins with 01: positive, and no zero too many
    ecdsaWithSha256,
    named(issuer),
    sequence(time(from), time(until)),
    named(subject),
    publicHalf(key),
    der(0xa3, sequence(...extensions)),
  )
  const whole = sequence(content, ecdsaWithSha256, bits(sign('sha256', content, signer)))
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`
}
