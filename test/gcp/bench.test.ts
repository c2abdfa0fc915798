import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { build } from 'esbuild'
import { most } from '../../bench/gcp/limits.js'
import { Replay, record } from '../../bench/gcp/replay.js'
import { GcpBench } from '../../bench/gcp/world.js'
import { counted, overMost, prepareMemory, strategies } from '../../bench/store/rotations.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'

const overLimits = overMost(most)

describe('npm run bench:gcp', () => {
  it('says what is over the limits, and nothing of what is not', () => {
    assert.deepEqual(most, { calls: 18, writes: 8, consumerWrites: 2 })
    assert.deepEqual(overLimits({ strategy: 'replace', ...most }), [])
    assert.deepEqual(overLimits({ strategy: 'alternate', calls: 19, writes: 9, consumerWrites: 3 }), [
      'alternate: 19 calls; the limit is 18.',
      'alternate: 9 writes; the limit is 8.',
      'alternate: 3 consumerWrites; the limit is 2.',
    ])
  })

  for (const strategy of strategies)
    it(`${strategy}: makes the same calls bare, in the same order, for another secret`, async () => {
      const bench = await GcpBench.open()
      const { ref } = await prepareMemory(bench, strategy)
      await bench.rotate(ref)
      await bench.settle(ref)
      const calls = await record(bench.double, () => bench.rotate(ref))
      const first = { engine: 'memory-a', target: 'bare', username: 'app', password: 'x'.repeat(32) }
      setMemoryTarget('bare', new MemoryTarget())
      const bare = await bench.create(`bare-${strategy}`, first, { 'keyturn-rotator': 'memory-a' })
      const replay = new Replay(bench, calls, { from: strategy, to: `bare-${strategy}` })
      for (const turn of [1, 2]) {
        const made = await record(bench.double, () => replay.run())
        assert.deepEqual(
          made.map(({ name }) => name),
          calls.map(({ name }) => name),
        )
        const { versions, aliases } = bench.double.secrets.get(bare.key) ?? assert.fail('it is gone')
        assert.equal(versions.length, 1 + turn)
        assert.deepEqual(Object.fromEntries(aliases), { current: 1 + turn, previous: turn })
      }
      assert.equal(bench.double.secrets.get(ref.key)?.versions.length, 3)
      await bench.close()
    })

  it('the store loads the client of one version of the API, not the vendor’s whole package', async () => {
    const { metafile } = await build({
      entryPoints: ['shared/stores/gcp-secret-manager.ts'],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      metafile: true,
      write: false,
      logLevel: 'error',
    })
    const theirs = Object.keys(metafile.inputs).filter((file) => file.includes('@google-cloud/secret-manager/build/'))
    assert.ok(theirs.some((file) => file.endsWith('/v1/secret_manager_service_client.js')))
    assert.deepEqual(
      theirs.filter((file) => /v1beta|build\/src\/index/.test(file)),
      [],
    )
  })
})

describe('a rotation of a secret in Google Secret Manager', () => {
  for (const strategy of strategies)
    it(`${strategy}: makes at most 18 calls, 8 of them writes, 2 on the consumer secret, whatever was retired before it`, async () => {
      const bench = await GcpBench.open()
      const { ref } = await prepareMemory(bench, strategy)
      const { calls, writes, consumerWrites, adminCalls } = await counted(bench, ref, 3)
      assert.deepEqual([overLimits({ strategy, calls, writes, consumerWrites }), adminCalls], [[], 0])
      assert.deepEqual([writes, consumerWrites], [8, 2])
      await bench.close()
    })
})
