import { createHash } from 'node:crypto'

/** Bytes that look random, and are the same for a seed. */
export function bytesFrom(seed: string, count: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(count / 32) }, (_, index) => createHash('sha256').update(`${seed} ${index}`).digest())
  return Buffer.concat(blocks).subarray(0, count)
}

const drawn = (alphabet: string, count: number, seed: string): string =>
  [...bytesFrom(seed, count)].map((byte) => alphabet[byte % alphabet.length]).join('')
const letters = 'abcdefghijklmnopqrstuvwxyz'
const word = `${letters}${letters.toUpperCase()}0123456789`
const django = `${letters}0123456789!@#$%^&*(-_=+)`

/** Keys as programs make them, and what each key after it must look like. */
export const keysOf: Readonly<Record<string, readonly [make: (seed: string) => string, looks: RegExp]>> = {
  'a Fernet key': [(seed) => `${bytesFrom(seed, 32).toString('base64url')}=`, /^[\w-]{43}=$/],
  'a SECRET_KEY of Django': [(seed) => `k${drawn(django, 48, seed)}q`.replaceAll('=', '+'), /^[a-z0-9!@#$%^&*(\-_=+)]{50}$/],
  'a SECRET_KEY of startproject': [
    (seed) => `django-insecure-7${drawn(django, 49, seed).replaceAll('=', '+')}`,
    /^django-insecure-[a-z0-9!@#$%^&*(\-_=+)]{50}$/,
  ],
  'a secret_key_base of Rails': [(seed) => bytesFrom(seed, 64).toString('hex'), /^[0-9a-f]{128}$/],
  'hexadecimal in capitals': [(seed) => bytesFrom(seed, 32).toString('hex').toUpperCase(), /^[0-9A-F]{64}$/],
  'a key with a prefix': [(seed) => `sk_live_${drawn(word, 32, seed)}`, /^sk_live_[0-9A-Za-z]{32}$/],
  'base64 with padding': [(seed) => bytesFrom(seed, 32).toString('base64'), /^[\w+/]{43}=$/],
  'base64 with two signs of padding': [(seed) => bytesFrom(seed, 16).toString('base64'), /^[\w+/]{22}==$/],
  'base64 without padding': [(seed) => bytesFrom(seed, 32).toString('base64').replace('=', ''), /^[\w+/]{43}$/],
  'base64url without padding': [(seed) => bytesFrom(seed, 32).toString('base64url'), /^[\w-]{43}$/],
  'an APP_KEY of Laravel': [(seed) => `base64:${bytesFrom(seed, 32).toString('base64')}`, /^base64:[\w+/]{43}=$/],
  'a webhook secret': [(seed) => `whsec_${bytesFrom(seed, 24).toString('base64')}`, /^whsec_[\w+/]{32}$/],
  'a UUID': [
    (seed) =>
      bytesFrom(seed, 16)
        .toString('hex')
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  ],
  'a UUID in capitals': [
    (seed) =>
      bytesFrom(seed, 16)
        .toString('hex')
        .toUpperCase()
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    /^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/,
  ],
  'a licence in groups': [
    (seed) => drawn('ABCDEFGHJKLMNPQRSTUVWXYZ0189', 25, seed).replace(/(.{5})(?=.)/g, '$1-'),
    /^([0-9A-Z]{5}-){4}[0-9A-Z]{5}$/,
  ],
  'base32 with padding': [(seed) => `${drawn('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 26, seed)}======`, /^[A-Z2-7]{26}={6}$/],
  'a cookie of Erlang': [(seed) => drawn(letters.toUpperCase(), 20, seed), /^[A-Z]{20}$/],
  'one that begins with a hyphen': [(seed) => `-${bytesFrom(seed, 32).toString('base64url').slice(1)}`, /^\w[\w-]{42}$/],
}

/** Texts that hold a key and more than a key. Each has the word Canary in it. */
export const containers: Readonly<Record<string, string>> = {
  dotenv: 'API_KEY=Canary0123456789abcdef\nOTHER=1',
  'one line of dotenv': 'API_KEY=Canary0123456789abcdef',
  'an exported variable': 'export API_KEY=Canary0123456789abcdef',
  'a property': 'db2_password=Canary0123456789abcdef',
  'a query': 'token=Canary0123456789&user=1',
  'a PEM block': '-----BEGIN PRIVATE KEY-----\nCanary0123456789abcdef\n-----END PRIVATE KEY-----',
  'a PEM block in one line': '-----BEGIN PRIVATE KEY-----\\nCanary0123456789abcdef\\n-----END PRIVATE KEY-----',
  'a list of JSON': '["Canary0123456789abcdef", "other"]',
  'a list of YAML': '- Canary0123456789abcdef\n- other',
  'one item of YAML': '- Canary0123456789abcdef',
  'a line of YAML': 'key: Canary0123456789abcdef',
  'a list with commas': 'Canary0123456789abcdef,other0123456789abcdef',
  'a list with semicolons': 'Canary0123456789abcdef;other0123456789abcdef',
  'a quoted string': '"Canary0123456789abcdef"',
  'a string in single quotes': "'Canary0123456789abcdef'",
  XML: '<key>Canary0123456789abcdef</key>',
  'two lines': 'Canary0123456789abcdef\nCanary0123456789abcdeg',
  'a line end of Windows': 'Canary0123456789abcdef\r\nCanary0123456789abcdeg',
  'several words': 'Bearer Canary0123456789abcdef',
  'a user and a password': 'user:Canary0123456789abcdef',
  'a URL without a login': 'https://hooks.example/Canary0123456789abcdef',
  'a signed token': `eyJhbGciOiJIUzI1NiJ9.${Buffer.from('{"sub":"Canary"}').toString('base64url')}.Canary0123456789abcdef`,
  'a hash': '$2b$10$Canary0123456789abcdefghijklmnopqrstuvwxyz012345678901',
  'an object in base64': Buffer.from('{"key":"Canary0123456789abcdef"}').toString('base64'),
  'dotenv in base64': Buffer.from('API_KEY=Canary0123456789abcdef\nOTHER=1').toString('base64'),
}
