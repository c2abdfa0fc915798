import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { countedStoreOf } from '../harness/gcp-counted.js'
import { jsonSecret } from '../harness/gcp-secret-manager/views.js'
import type { Call } from '../harness/gcp-secret-manager.js'
import { watchedGcp } from '../harness/gcp-watched.js'
import { laterMs, World } from '../harness/world.js'

const policy = { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b' }
const five = (name: string, value: string) => Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`${name}${n}`, `${value}${n}`]))
/** Everything that somebody may have set up before we came. */
const theirs = {
  labels: five('team-', 'value-'),
  annotations: { ...five('example.com_note', ' "%\'\\ü\n{} '), 'keyturn.example': 'not a policy: it has another prefix' },
  versionAliases: { pinned: 1, blue: 1 },
  topics: [{ name: 'projects/p/topics/events' }],
  rotation: { nextRotationTime: { seconds: 2_000_000_000 }, rotationPeriod: { seconds: 7_776_000 } },
}
const replication = {
  userManaged: { replicas: [{ location: 'europe-west3' }, { location: 'europe-west4', customerManagedEncryption: null }] },
}

describe('what others keep at a secret in Google Secret Manager', () => {
  const watched = watchedGcp()
  after(async () => watched.close?.())
  let world: World
  let count = 0
  const double = () => countedStoreOf(world).double
  const stored = (name = world.ref.key) => double().secrets.get(name) ?? assert.fail(`there is no ${name}`)

  /** A secret of somebody else, which nobody has adopted. */
  beforeEach(async () => {
    world = await World.open('b', watched.open, `gcp-foreign-${++count}`)
    await world.store.release(world.ref)
    const paths = ['labels', 'annotations', 'version_aliases', 'topics', 'rotation']
    double().do('UpdateSecret', { secret: { name: world.ref.key, ...theirs }, updateMask: { paths } })
    double().secrets.set(world.ref.key, { ...stored(), replication })
  })

  /** All that the service keeps of it: its own view, and the versions with state and payload. The etag is another after each write. */
  const whole = () => {
    const { etag: _, ...view } = jsonSecret(stored()) as Record<string, unknown>
    const versions = stored().versions.map(({ id, state, data }) => ({ id, state, text: Buffer.from(data ?? '').toString() }))
    return { ...view, periodMs: stored().rotation?.periodMs, policy: stored().policy, versions }
  }
  type Whole = ReturnType<typeof whole> & { annotations?: Record<string, string>; versionAliases?: Record<string, string> }

  const act = <T>(what: (deps: ReturnType<World['deps']>) => Promise<T>) => world.act(world.newProcess(), what)
  /** A life of the secret with us. A person who is told of a conflict says it again. */
  const life: Readonly<Record<string, () => Promise<unknown>>> = {
    adopt: () => act((deps) => adopt(deps, world.store, world.ref.shown, policy)),
    rotate: () => world.run(world.newProcess(), { at: world.env.time }),
    announce: () => act((deps) => announce(deps, world.ref.shown)),
    retire: () => act((deps) => retirePass(deps, world.ref.shown)),
    'change the policy': () => act(() => world.store.setPolicy(world.ref, { 'keyturn-grace': '2h' })),
    release: () => act(() => world.store.release(world.ref)),
  }
  async function until(last: keyof typeof life): Promise<void> {
    for (const [name, deed] of Object.entries(life)) {
      world.env.time += laterMs * 8
      for (let tries = 3; ; tries--) {
        const code = await deed().then(
          () => undefined,
          (cause: unknown) => (codeOf(cause) ?? world.store.classify(cause)) || 'internal',
        )
        if (code === undefined) break
        assert.ok(code === 'conflict' && tries > 0, `${name}: ${code}`)
      }
      if (name === last) return
    }
  }

  it('after a rotation only ours differs: the policy, our two aliases and one version', async () => {
    const before: Whole = whole()
    await until('announce')
    const { annotations, versionAliases, versions, ...rest }: Whole = whole()
    const { annotations: hadAnnotations, versionAliases: hadAliases, versions: hadVersions, ...hadRest } = before
    assert.deepEqual(rest, hadRest)
    assert.deepEqual(annotations, { ...hadAnnotations, ...policy })
    assert.deepEqual(versionAliases, { ...hadAliases, current: '2', previous: '1' })
    assert.deepEqual(versions.slice(0, 1), hadVersions)
    assert.deepEqual(
      versions.map(({ id, state }) => [id, state]),
      [
        [1, 'ENABLED'],
        [2, 'ENABLED'],
      ],
    )
  })

  it('after release only our aliases and our version are left, and nothing else of ours is in the project', async () => {
    const before: Whole = whole()
    const names = [...double().secrets.keys()]
    await until('release')
    const { versionAliases, versions, ...rest }: Whole = whole()
    const { versionAliases: hadAliases, versions: hadVersions, ...hadRest } = before
    assert.deepEqual(rest, hadRest)
    assert.deepEqual(versionAliases, { ...hadAliases, current: '2', previous: '1' })
    assert.deepEqual(versions.slice(0, 1), hadVersions, 'an alias of theirs names it, so that it was not disabled')
    assert.deepEqual([...double().secrets.keys()], names)
  })

  it('somebody changes the secret at any update of ours: it is read again, and nothing of theirs is overwritten', async () => {
    const isUpdate = ({ name }: Call) => name === 'UpdateSecret'
    let updates = 0
    await withUpdates(async () => void updates++)
    assert.ok(updates >= 6, `${updates} updates`)
    for (let at = 0; at < updates; at++) {
      world = await World.open('b', watched.open, `gcp-foreign-${++count}`)
      await world.store.release(world.ref)
      let done = ''
      let n = 0
      await withUpdates(async ({ secret = '' }) => {
        if (n++ !== at) return
        const { labels, annotations, aliases } = stored(secret)
        const change = {
          labels: { ...Object.fromEntries(labels), changed: 'by-somebody' },
          annotations: { ...Object.fromEntries(annotations), changed: 'by somebody' },
          versionAliases: { ...Object.fromEntries(aliases), ...(secret === world.ref.key ? { theirs: 1 } : {}) },
        }
        const paths = ['labels', 'annotations', 'version_aliases']
        double().do('UpdateSecret', { secret: { name: secret, ...change }, updateMask: { paths } })
        done = secret
      })
      const secret = done
      assert.notEqual(secret, '', `update ${at} of ${updates}`)
      const { labels, annotations, aliases } = stored(secret)
      assert.deepEqual([labels.get('changed'), annotations.get('changed')], ['by-somebody', 'by somebody'], `update ${at} of ${secret}`)
      if (secret === world.ref.key) assert.equal(aliases.get('theirs'), 1)
      assert.deepEqual(Object.fromEntries([...stored().aliases].filter(([name]) => name !== 'theirs')), { current: 2, previous: 1 })
      assert.equal(stored().annotations.get('keyturn-grace'), '2h')
      assert.equal(await world.published(), 1)
    }

    /** Something happens right before each update of ours. The place goes with `release`, which is a test of its own. */
    async function withUpdates(happens: (call: Call) => Promise<void>): Promise<void> {
      const { fault } = double()
      double().fault = (call, n) => {
        if (isUpdate(call)) void happens(call)
        return fault(call, n)
      }
      await until('change the policy')
      double().fault = fault
    }
  })

  it('somebody changes the secret while we release it: their change stays, and what is ours goes', async () => {
    await until('change the policy')
    const { fault } = double()
    double().fault = (call, n) => {
      if (call.name === 'UpdateSecret') {
        double().fault = fault
        const annotations = { ...Object.fromEntries(stored().annotations), changed: 'by somebody' }
        double().do('UpdateSecret', { secret: { name: world.ref.key, annotations }, updateMask: { paths: ['annotations'] } })
      }
      return fault(call, n)
    }
    const release = life.release ?? assert.fail('no release')
    await assert.rejects(release(), (cause) => world.store.classify(cause) === 'conflict')
    await release()
    assert.deepEqual(Object.fromEntries(stored().annotations), { ...theirs.annotations, changed: 'by somebody' })
  })
})
