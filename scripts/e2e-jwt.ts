import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { codeOf } from '../shared/core/errors.js'
import { PublicText } from '../shared/core/public-key.js'
import { SecretText } from '../shared/core/secret-text.js'
import { announce } from '../shared/lifecycle/consumers/announce.js'
import { rotate } from '../shared/lifecycle/rotation/rotate.js'
import { adopt } from '../shared/lifecycle/secret/adopt.js'
import { type Deps, noConfiguration } from '../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../shared/notifiers/registry.js'
import { loadRotator } from '../shared/rotators/registry.js'
import { makeFolders } from '../shared/stores/file/home.js'
import { deriveKeys } from '../shared/stores/file/keys.js'
import { FileStore } from '../shared/stores/file.js'
import { FakeEnv } from '../test/harness/fake-env.js'
import { hasPrivateMember, Issuer, Late, type Token, Verifier } from '../test/harness/jwt-parties.js'

/**
 * `npm run e2e:jwt -- --json` plays with the file store, a signer's secret and its public set. Two issuers of tokens and three kinds of verifier are as
 * late as the policy lets them be, on a clock that is moved. Twenty rotations follow as fast as nothing holds them, one of them to another algorithm,
 * then an emergency. Every verifier checks each token at its beginning, in between and at its end. Exit 1 if a promise was broken.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const [second, minute] = [1000, 60_000]
const tickMs = 5 * minute
const rotations = 20
const ttlMs = 60 * minute
const lateMs = 5 * minute // keyturn-propagation
const policy = {
  'keyturn-rotator': 'jwt',
  'keyturn-algorithm': 'ES256',
  'keyturn-verifiers': 'ticker=4h max-age=5m refetch=30s',
  'keyturn-companions': 'jwks',
}

const home = await mkdtemp(join(tmpdir(), 'keyturn-e2e-jwt-'))
await makeFolders(home)
const env = new FakeEnv('e2e-jwt')
const store = new FileStore(home, deriveKeys(randomBytes(32)), env)
const jwks = { name: 'jwks', content: 'public-set', at: 'file:jwt-public', order: 'before', settings: new SecretText('{}') } as const
const deps: Deps = {
  store,
  loadRotator,
  infer: () => ({}),
  readAdmin: async () => {
    throw new Error('no administrator here')
  },
  configuration: async () => ({ ...noConfiguration, companions: { jwks } }),
  loadNotifier,
  openPlace: async () => ({ deps }),
  journal: true,
  env,
  audit: { write: async () => {} },
  holder: 'e2e-jwt',
  leaseMs: 15 * minute,
  shortGrace: false,
}

const read = async (name: string): Promise<string> => {
  const { current, ref } = await store.describe(await store.resolve(name))
  return current === undefined ? '{}' : (await store.read(ref, current.id)).reveal()
}
/** What is served to verifiers: the companion alone, filtered by time. */
const served = async (): Promise<string> => String(PublicText.servedFrom(await read('file:jwt-public'), env.now()) ?? '')

const counts = { issued: 0, refused: 0, emergencyRefused: 0, privateInPublic: 0, rotations: 0, held: 0, verified: 0 }
const secret = new Late(() => read('file:jwt'))
const set = new Late(served)
const issuers = [new Issuer(secret, 0), new Issuer(secret, lateMs)]
/** Clocks are apart by at most keyturn-skew. */
const verifiers = [
  // Longer than the life of a token: only the time between announcement and use covers it.
  new Verifier('ticker', 240 * minute, set, lateMs, -30 * second),
  new Verifier('max-age', 5 * minute, set, lateMs, 30 * second),
  new Verifier('refetch', 30 * second, set, lateMs, 0),
]
let open: readonly Token[] = []

/** One tick of the world: everybody reads, signs and verifies. */
async function tick(phase: 'refused' | 'emergencyRefused'): Promise<void> {
  env.time += tickMs
  const now = env.now()
  await secret.look(now)
  await set.look(now)
  if (hasPrivateMember(await read('file:jwt-public')) || hasPrivateMember(set.newest)) counts.privateInPublic++
  const fresh = await Promise.all(issuers.map((issuer) => issuer.issue(now, ttlMs)))
  open = [...open.filter(({ expiresAt }) => expiresAt > now), ...fresh]
  counts.issued += fresh.length
  for (const token of open) {
    const age = now - (token.expiresAt - ttlMs)
    if (age !== 0 && age !== ttlMs / 2 && token.expiresAt - now > tickMs) continue
    for (const verifier of verifiers) {
      counts.verified++
      if (!(await verifier.accepts(token.text, now))) counts[phase]++
    }
  }
}

async function turn(kind: 'rotate' | 'emergency'): Promise<boolean> {
  try {
    await rotate(deps, { kind, ref: 'file:jwt', at: env.now(), ...(kind === 'emergency' ? { reason: 'it leaked' } : {}) })
  } catch (cause) {
    if (codeOf(cause) !== 'held') throw cause
    counts.held++
    return false
  }
  await announce(deps, 'file:jwt')
  return true
}

await store.create('jwt', new SecretText('{}'), {})
await store.create('jwt-public', new SecretText('{}'), {})
await adopt(deps, store, 'file:jwt', policy)
env.time += 120 * minute // past the grace of the first value
await turn('rotate')
// A verifier reads the set when it starts, and nobody signs before that.
await secret.look(env.now())
await set.look(env.now())
env.time += lateMs
while (counts.rotations < rotations) {
  if (await turn('rotate')) counts.rotations++
  if (counts.rotations === rotations / 2) await store.setPolicy(await store.resolve('file:jwt'), { 'keyturn-algorithm': 'EdDSA' })
  await tick('refused')
}
for (let more = 0; more < (2 * ttlMs) / tickMs; more++) await tick('refused')
await turn('emergency')
const leakedAt = env.now()
let before = -1
let settledAfterMs = 0
while (env.now() - leakedAt < 5 * 60 * minute) {
  before = counts.emergencyRefused
  await tick('emergencyRefused')
  if (counts.emergencyRefused > before) settledAfterMs = env.now() - leakedAt
}
await rm(home, { recursive: true })

const good =
  counts.issued > 1000 &&
  counts.refused === 0 &&
  counts.privateInPublic === 0 &&
  counts.emergencyRefused > 0 &&
  settledAfterMs <= 250 * minute
const result = { ...counts, settledAfterMinutes: settledAfterMs / minute }
if (values.json) console.log(JSON.stringify(result))
else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(20)} ${value}`)
process.exitCode = good ? 0 : 1
