import { rotatorHarnesses } from '../harness/rotators.js'
import { storeHarnesses } from '../harness/stores.js'
import { engineStoreContract } from './engine-store.js'
import { rotatorContract } from './rotator.js'
import { storeContract } from './store.js'

for (const named of Object.values(storeHarnesses).flat()) {
  storeContract(named)
  if (named.engine) engineStoreContract(named)
}
for (const named of Object.values(rotatorHarnesses).flat()) rotatorContract(named)
