import { rotatorHarnesses } from '../harness/rotators.js'
import { storeHarnesses } from '../harness/stores.js'
import { engineStoreContract } from './engine-store.js'
import { rotatorContract } from './rotator.js'
import { storeContract } from './store.js'
import { isMemory } from './where.js'

// Apart from the others: it starts no server, so that whoever asks one question of the contracts has its answer in seconds.
for (const [, harnesses] of Object.entries(storeHarnesses).filter(isMemory))
  for (const named of harnesses) {
    storeContract(named)
    if (named.engine) engineStoreContract(named)
  }
for (const [, harnesses] of Object.entries(rotatorHarnesses).filter(isMemory)) for (const named of harnesses) rotatorContract(named)
