import assert from 'node:assert/strict'
import { most } from '../../bench/azure/limits.js'
import { AzureBench } from '../../bench/azure/world.js'
import { counted, overMost, prepareMemory, strategies } from '../../bench/store/rotations.js'
import { azuriteSkip } from '../harness/azurite.js'
import { suite } from '../harness/suite.js'

suite('a rotation of a secret in Azure Key Vault', azuriteSkip, ({ it }) => {
  for (const strategy of strategies)
    it(`${strategy}: makes at most ${most.calls} calls, ${most.writes} of them writes, one on the consumer secret; bare, it makes the same`, async () => {
      const bench = await AzureBench.open()
      const { ref } = await prepareMemory(bench, strategy)
      const { calls, writes, consumerWrites, adminCalls, byName } = await counted(bench, ref, 3)
      assert.deepEqual([overMost(most)({ strategy, calls, writes, consumerWrites }), adminCalls], [[], 0], JSON.stringify(byName))
      assert.deepEqual([calls, writes, consumerWrites], [most.calls, most.writes, most.consumerWrites])
      await bench.settle(ref)
      const again = await bench.bare(strategy, () => bench.rotate(ref))
      for (let turn = 0; turn < 2; turn++) {
        const bare = await bench.count(ref, again)
        assert.deepEqual(bare.byName, byName)
      }
      await bench.close()
    })
})
