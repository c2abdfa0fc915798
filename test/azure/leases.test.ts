import assert from 'node:assert/strict'
import { codeOf } from '../../shared/core/errors.js'
import type { Claim, ClaimWish } from '../../shared/core/ports/store.js'
import type { SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { AzureKeyVaultAdmin } from '../../shared/stores/azure-key-vault/admin.js'
import { leaseIdOf } from '../../shared/stores/azure-key-vault/leases.js'
import { infoOf } from '../../shared/stores/azure-key-vault/line.js'
import { AzureServices, openAzure } from '../harness/azure.js'
import { azuriteSkip } from '../harness/azurite.js'
import { FakeEnv } from '../harness/fake-env.js'
import { suite } from '../harness/suite.js'

const token = 'token-0123456789-0123456789-abcdef' as Token
const minuteMs = 60_000
const fails = (code: string) => (cause: unknown) => codeOf(cause) === code

suite('the lease of a journal in Azure', azuriteSkip, ({ after, it }) => {
  const shared = new AzureServices()
  after(() => shared.stop())

  async function open() {
    const services = await shared.open()
    const { env, container, azurite, double, blobs } = services
    const instance = (of: FakeEnv = env): AzureKeyVaultAdmin => openAzure(services, of, { container })
    const store = instance()
    const ref = await store.create('db', new SecretText('first'), { 'keyturn-rotator': 'memory-a' })
    const claim = async (by: AzureKeyVaultAdmin, holder: string, rest: Partial<ClaimWish> = {}): Promise<Claim> =>
      by.claim(await by.describe(ref), { token, kind: 'rotate', holder, leaseMs: 15 * minuteMs, ...rest })
    const blob = azurite.client().getContainerClient(container).getBlockBlobClient(ref.key)
    const breakIt = () => blob.getBlobLeaseClient().breakLease(0)
    const values = () => double.versions('db').map(({ value }) => value)
    return { env, instance, store, ref, claim, blob, blobs, breakIt, values, double }
  }
  const staged = async (store: AzureKeyVaultAdmin, claim: Claim) => (await store.stage(claim, new SecretText('second'))).version
  const state = async (blob: Awaited<ReturnType<typeof open>>['blob']) => (await blob.getProperties()).leaseState

  it('is taken with the claim, held until the publication is noted, and given back then', async () => {
    const { store, claim, blob } = await open()
    const mine = await claim(store, 'one')
    assert.equal(await state(blob), 'leased')
    await store.publish(mine, await staged(store, mine))
    assert.equal(await state(blob), 'available')
    const next = await claim(store, 'one', { token: 'another-0123456789-0123456789-abcdef' as Token })
    assert.equal(next.attempt, 1)
  })

  it('is given back with the claim', async () => {
    const { store, claim, blob } = await open()
    await claim(store, 'one')
    await claim(store, 'one', { leaseMs: 0 })
    assert.equal(await state(blob), 'available')
    assert.equal((await claim(store, 'two')).attempt, 3)
  })

  it('is broken: whoever had it writes nothing more, neither to the journal nor for consumers', async () => {
    const { store, claim, breakIt, values, env } = await open()
    const mine = await claim(store, 'one')
    const version = await staged(store, mine)
    await breakIt()
    await assert.rejects(store.publish(mine, version), fails('conflict'))
    await assert.rejects(store.discard(mine, version), fails('conflict'))
    assert.deepEqual(values(), ['first'])
    const again = await claim(store, 'one')
    assert.equal(again.attempt, 2, 'the same process may begin again: nobody else has taken it')
    await store.publish(again, version)
    assert.deepEqual([values(), env.time > 0], [['first', 'second'], true])
  })

  it('is broken before anything is kept: whoever asks before an effect elsewhere is told', async () => {
    const { store, claim, breakIt } = await open()
    const mine = await claim(store, 'one')
    await store.renew(mine)
    await breakIt()
    await assert.rejects(store.renew(mine), fails('conflict'))
    const again = await claim(store, 'one')
    await store.renew(again)
  })

  it('is broken between the intent and the write: nothing is written', async () => {
    const { store, claim, breakIt, values, blobs } = await open()
    const mine = await claim(store, 'one')
    const version = await staged(store, mine)
    let broken: Promise<unknown> = Promise.resolve()
    blobs.fault = ({ operation }) => {
      if (operation !== 'renew') return undefined
      broken = breakIt()
      return { delayed: broken }
    }
    await assert.rejects(store.publish(mine, version), fails('conflict'))
    await broken
    assert.deepEqual(values(), ['first'])
  })

  it('ends by itself while its process sleeps, and is renewed where nobody has written since', async () => {
    const { store, claim, blob, env, values } = await open()
    const mine = await claim(store, 'one')
    const version = await staged(store, mine)
    env.time += 5 * minuteMs
    await store.note(await store.describe(claimRef(mine)), { checkedAt: env.time })
    env.time += minuteMs
    await assert.rejects(store.publish(mine, version), fails('conflict'), 'somebody has noted something: the claim is read again')
    const again = await claim(store, 'one')
    env.time += 5 * minuteMs
    assert.equal(await state(blob), 'leased', 'the emulator moves its clock with the next call')
    await store.publish(again, version)
    assert.deepEqual(values(), ['first', 'second'])
  })

  it('a note of another process passes while a rotation is at work, and the rotation goes on', async () => {
    const { store, instance, claim, values } = await open()
    const mine = await claim(store, 'one')
    const version = await staged(store, mine)
    const other = instance()
    await other.note(await other.describe(claimRef(mine)), { checkedAt: 1 })
    await store.publish(mine, version)
    assert.deepEqual([values(), (await store.describe(claimRef(mine))).journal?.checkedAt], [['first', 'second'], 1])
  })

  it('a tool of somebody else that leases the blob locks us out, and the code says so', async () => {
    const { store, claim, blob } = await open()
    await blob.getBlobLeaseClient('00000000-0000-4000-8000-000000000000').acquireLease(60)
    await assert.rejects(claim(store, 'one'), fails('locked'))
  })

  it('clocks are a minute apart: whoever is ahead takes nothing over from a process that is at work', async () => {
    const { store, instance, claim, env, values } = await open()
    const ahead = new FakeEnv()
    const other = instance(ahead)
    const mine = await claim(store, 'one')
    const version = await staged(store, mine)
    env.time += 14 * minuteMs + 10_000
    // The journal is read again, so that the lease is renewed: this process is awake.
    const again = await claim(store, 'one', { leaseMs: 50_000 })
    ahead.time = env.time + minuteMs
    assert.ok(again.leaseUntil < ahead.time, 'by the clock of the other one the claim is over')
    await assert.rejects(claimAt(other, claimRef(mine), ahead, env), fails('locked'))
    await store.publish(again, version)
    assert.deepEqual(values(), ['first', 'second'])
  })

  it('two instances begin at the same moment: one claims, the other is told', async () => {
    for (let turn = 0; turn < 10; turn++) {
      const { store, instance, ref } = await open()
      const other = instance()
      const states = await Promise.all([store.describe(ref), other.describe(ref)])
      const wish = { token, kind: 'rotate', leaseMs: 15 * minuteMs } as const
      const claims = await Promise.allSettled([
        store.claim(states[0], { ...wish, holder: 'one' }),
        other.claim(states[1], { ...wish, holder: 'two' }),
      ])
      const codes = claims.flatMap((one) => (one.status === 'rejected' ? [codeOf(one.reason)] : []))
      assert.equal(codes.length, 1, JSON.stringify(codes))
      assert.ok(['conflict', 'locked'].includes(codes[0] ?? ''), codes[0])
    }
  })

  it('a process that slept between the lease and the write sends nothing: the lease may be over', async () => {
    const { store, claim, values, double, env } = await open()
    const mine = await claim(store, 'one')
    const version = await staged(store, mine)
    const last: string[] = []
    double.fault = ({ name }) => {
      last.push(name)
      if (name === 'GetSecret' && last.length > 3) env.time += 16_000
      return undefined
    }
    await assert.rejects(store.publish(mine, version), fails('conflict'))
    assert.deepEqual(values(), ['first'])
    double.fault = () => undefined
    await store.publish(await claim(store, 'one'), version)
    assert.deepEqual(values(), ['first', 'second'])
  })

  it('without a blob nothing tells what happened since the look: a claim looks at what is current again', async () => {
    const { store, ref, blob, double } = await open()
    await blob.delete()
    const state = await store.describe(ref)
    double.writeForeign('db', 'of somebody')
    await assert.rejects(store.claim(state, { token, kind: 'rotate', holder: 'one', leaseMs: minuteMs }), fails('conflict'))
  })

  it('what the journal names is pending, also where a listing does not show it yet', async () => {
    const { store, ref, claim, double } = await open()
    const version = await staged(store, await claim(store, 'one'))
    double.fault = ({ name, secret }) => (name === 'GetSecretVersions' && secret === 'db-pending' ? { staleWrites: 1 } : undefined)
    assert.equal((await store.describe(ref)).pending?.id, version)
  })

  it('what a writer says of its time counts within the second of the service', () => {
    const made = (at: number) =>
      infoOf({
        id: 'v' as VersionId,
        madeAt: 5000,
        isEnabled: true,
        tags: { 'keyturn-token': token, 'keyturn-at': String(at).padStart(13, '0') },
      }).createdAt
    assert.deepEqual([made(5432), made(4000), made(9000)], [5432, 5000, 5999])
    assert.equal(infoOf({ id: 'v' as VersionId, madeAt: 5000, isEnabled: true, tags: {} }).createdAt, 5000)
  })

  it('has an id that follows from the claim, in the form of a GUID', () => {
    const id = leaseIdOf({ token, holder: 'one' })
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.notEqual(id, leaseIdOf({ token, holder: 'two' }))
  })
})

const claimRef = ({ ref }: Claim): SecretRef => ref
/** The emulator keeps the one clock that there is, whoever asks. */
async function claimAt(store: AzureKeyVaultAdmin, ref: SecretRef, ahead: FakeEnv, real: FakeEnv): Promise<Claim> {
  assert.ok(ahead.time > real.time)
  return store.claim(await store.describe(ref), { token, kind: 'rotate', holder: 'two', leaseMs: 15 * minuteMs })
}
