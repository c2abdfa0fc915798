import { createHash } from 'node:crypto'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { reencrypted } from '../../shared/lifecycle/retirement/reencrypted.js'
import { MemoryTarget, memoryTarget as memoryTargetOf, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import type { ProfileName } from '../../shared/stores/memory/profiles.js'
import { effect } from '../harness/faults.js'
import type { SelfIssuedWorld } from '../harness/self-issued-world.js'
import { type Keys, kidsIn, kidsOf, PublicSetWatch } from './self-issued-watch.js'

type Perform = (act: (process: ReturnType<SelfIssuedWorld['newProcess']>) => Promise<unknown>) => Promise<string | undefined>
/** One kind of credential with its companions, and what must hold at every moment and at the end; undefined where it does. */
export interface Tale {
  readonly name: string
  readonly profile: ProfileName
  readonly otherProfile: ProfileName
  readonly rounds: number
  open(world: SelfIssuedWorld): Promise<SecretRef>
  /** The round that is an emergency, where one is. */
  readonly emergency?: number
  /** Of the companions: what an outage takes away. */
  readonly places?: readonly string[]
  /** For one run: what is asked after each effect, with the value that is current and the one that was before. */
  watch(): { look(world: SelfIssuedWorld, text: string, before: string): Promise<string | undefined>; beginEmergency?(): void }
  settled(world: SelfIssuedWorld, text: string): Promise<string | undefined>
  /** What a person does where a rotation is held, and after each round. */
  between?(perform: Perform, world: SelfIssuedWorld, ref: SecretRef): Promise<void>
  /** What of a value must stand nowhere else. */
  secrets(text: string): readonly string[]
}
type Fields = Readonly<Record<string, string>>
const other = async (world: SelfIssuedWorld, name: string): Promise<string> => world.text(await world.other.resolve(name), world.other)
const sha = (text: string): string => createHash('sha256').update(text).digest('hex')
const profilePairs: readonly (readonly [ProfileName, ProfileName])[] = [
  ['file', 'vault'],
  ['vault', 'k8s'],
  ['gcp', 'azure'],
]

/** The set has to be there before the keys are: in another store, or in two clusters. */
const signing = (places: readonly string[], read: (world: SelfIssuedWorld, place: string) => Promise<string>, emergency?: number) => ({
  rounds: emergency === undefined ? 2 : 3,
  ...(emergency === undefined ? {} : { emergency }),
  places,
  open: async (world: SelfIssuedWorld) => {
    world.companions(Object.fromEntries(places.map((at, index) => [`jwks-${index}`, { content: 'public-set', at, order: 'before' }])))
    for (const at of places) if (at.startsWith('memory:')) await world.create(at.slice('memory:'.length), {}, {}, world.other)
    const companions = places.map((_, index) => `jwks-${index}`).join(' ')
    return world.create('source', {}, { ...signingPolicy, 'keyturn-companions': companions })
  },
  watch: () => {
    const watched = new PublicSetWatch(signingPolicy)
    return {
      beginEmergency: () => watched.beginEmergency(),
      look: async (world: SelfIssuedWorld, text: string, before: string) => {
        const sets = new Map<string, string>()
        for (const place of places) sets.set(place, await read(world, place))
        return watched.look(world, JSON.parse(text) as Keys, JSON.parse(before) as Keys, sets)
      },
    }
  },
  settled: async (world: SelfIssuedWorld, text: string) => {
    for (const place of places) {
      const [kids, set] = [kidsOf(JSON.parse(text) as Keys), kidsIn(await read(world, place))]
      if (kids.join() !== set.join()) return `${place} has ${set.length} keys of ${kids.length}`
    }
    return undefined
  },
  secrets: (text: string) => [(JSON.parse(text) as Keys).current?.private.d ?? 'no key at all'],
})
const signingPolicy = { 'keyturn-rotator': 'jwt', 'keyturn-algorithm': 'EdDSA' }

/** What a service accepts is known before the key is used; an application's own form of it follows. */
const apiKey = {
  rounds: 2,
  places: ['memory:hashes', 'memory:header', 'memory:copy'],
  open: async (world: SelfIssuedWorld) => {
    world.companions({
      service: { content: 'digests', at: 'memory:hashes', order: 'before' },
      header: { content: 'credential', at: 'memory:header', order: 'after' },
      copy: { content: 'copy', at: 'memory:copy', order: 'after' },
    })
    await world.create('hashes', {}, {}, world.other)
    await world.create('header', { note: 'of its own', key: 'old' }, {}, world.other)
    await world.create('copy', {}, {}, world.other)
    const policy = {
      'keyturn-rotator': 'random',
      'keyturn-strategy': 'overlap',
      'keyturn-form': 'api-key',
      'keyturn-spelling': 'change',
      'keyturn-companions': 'service header copy',
    }
    return world.create('source', { key: 'first-key-0123456789' }, policy)
  },
  watch: () => ({
    look: async (world: SelfIssuedWorld, text: string) => {
      const { key = '', key_id } = JSON.parse(text) as Fields
      return key_id === undefined || (await other(world, 'hashes')).includes(sha(key))
        ? undefined
        : 'the service does not know the key that is used'
    },
  }),
  settled: async (world: SelfIssuedWorld, text: string) => {
    const { key = '', key_previous = '' } = JSON.parse(text) as Fields
    const header = JSON.parse(await other(world, 'header')) as Fields
    if (header.key !== key || header.note !== 'of its own') return 'the header is behind'
    if ((await other(world, 'copy')) !== text) return 'the copy is behind'
    return (await other(world, 'hashes')).includes(sha(key_previous)) ? undefined : 'the service forgot the key before'
  },
  secrets: (text: string) => [(JSON.parse(text) as Fields).key ?? ''],
}

interface List {
  readonly cookie: readonly string[]
}
const cookies = {
  rounds: 2,
  places: ['memory:copy'],
  open: async (world: SelfIssuedWorld) => {
    world.companions({ copy: { content: 'copy', at: 'memory:copy', order: 'before' } })
    await world.create('copy', {}, {}, world.other)
    return world.create(
      'source',
      { cookie: ['a'.repeat(32), 'b'.repeat(32)] },
      { 'keyturn-rotator': 'secret-list', 'keyturn-companions': 'copy' },
    )
  },
  watch: () => ({
    look: async (_: SelfIssuedWorld, text: string, before: string) => {
      const [now, then] = [JSON.parse(text) as List, JSON.parse(before) as List]
      return now.cookie.includes(then.cookie[0] ?? '') && now.cookie.length === 2
        ? undefined
        : 'what signed a moment ago is not accepted any more'
    },
  }),
  settled: async (world: SelfIssuedWorld, text: string) => ((await other(world, 'copy')) === text ? undefined : 'the copy is behind'),
  secrets: (text: string) => (JSON.parse(text) as List).cookie,
}

interface Ring {
  readonly key: string
  readonly key_id?: string
  readonly key_previous?: readonly { readonly id: string; readonly key: string }[]
}
const ringOf = (text: string): readonly string[] => {
  const { key, key_previous = [] } = JSON.parse(text) as Ring
  return [key, ...key_previous.map((one) => one.key)]
}
const released = 'ab'.repeat(32)
/** A ring of two is full at once: it goes on when somebody says that the first key is not needed, and only that key may ever leave. */
const ring = {
  rounds: 2,
  open: async (world: SelfIssuedWorld) => world.create('source', { key: released }, { 'keyturn-rotator': 'keyring', 'keyturn-count': '2' }),
  watch: () => ({
    look: async (_: SelfIssuedWorld, text: string, before: string) => {
      const now = ringOf(text)
      return ringOf(before).every((key) => key === released || now.includes(key)) ? undefined : 'a key that still decrypts is gone'
    },
  }),
  between: async (perform: Perform, world: SelfIssuedWorld, ref: SecretRef) => {
    await perform((process) => world.act((deps) => reencrypted(deps, ref.shown, 'first'), process))
  },
  settled: async (_: SelfIssuedWorld, text: string) => (ringOf(text).length === 2 ? undefined : `${ringOf(text).length} keys`),
  secrets: ringOf,
}

/** A login of a target and two keys in one secret: whatever dies, current logs in. */
const several = {
  rounds: 2,
  open: async (world: SelfIssuedWorld) => {
    const target = new MemoryTarget()
    setMemoryTarget('parts', target)
    target.effects = (name, act) => effect(name, act, (done) => world.watch(done))
    target.accounts.set('app_a', 'first-password-0123456789').set('app_b', '')
    const value = {
      'db-host': 'parts',
      'db-user': 'app_a',
      'db-password': 'first-password-0123456789',
      'db-url': 'memory://app_a:first-password-0123456789@parts/db',
      key: 'first-key-0123456789',
      cookie: ['c'.repeat(32)],
      note: 'stays',
    }
    const parts = { 'keyturn-parts': 'db-password=memory-b key=random cookie=secret-list', 'keyturn-db-password-pair': 'app_a app_b' }
    return world.create('source', value, parts)
  },
  watch: () => ({
    look: async (_: SelfIssuedWorld, text: string) => {
      const { 'db-user': user = '', 'db-password': password = '', 'db-url': url, note } = JSON.parse(text) as Fields
      if (url !== `memory://${user}:${password}@parts/db` || note !== 'stays') return 'a field that repeats the login is behind'
      return memoryAccepts(user, password) ? undefined : 'current is refused'
    },
  }),
  settled: async (_: SelfIssuedWorld, text: string) =>
    (JSON.parse(text) as Fields).key === 'first-key-0123456789' ? 'the key was never changed' : undefined,
  secrets: (text: string) => ['db-password', 'key'].map((name) => (JSON.parse(text) as Fields)[name] ?? ''),
}
const memoryAccepts = (user: string, password: string): boolean => memoryTargetOf('parts').accounts.get(user) === password

const kinds = {
  'keys with their set in another store': signing(['memory:jwks'], (world, place) => other(world, place)),
  'keys with their set in two clusters': signing(['path:/one', 'path:/two'], async (world, place) => world.files.get(place) ?? ''),
  'keys, and an emergency': signing(
    ['path:/one', 'memory:jwks'],
    async (world, place) => (place.startsWith('path:') ? (world.files.get(place) ?? '') : other(world, place)),
    1,
  ),
  'API key with digests, a header and a copy': apiKey,
  'list of cookies with a copy': cookies,
  keyring: ring,
  'several in one secret': several,
}
export const tales: readonly Tale[] = Object.entries(kinds).flatMap(([kind, tale]) =>
  profilePairs.map(([profile, otherProfile]) => ({ ...tale, name: `${kind} (${profile}, ${otherProfile})`, profile, otherProfile })),
)
