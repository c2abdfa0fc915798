import type { NotifierKind } from '../../shared/notifiers/registry.js'
import { notifierHarnesses } from '../harness/notifiers.js'
import { rotatorHarnesses } from '../harness/rotators.js'
import { storeHarnesses } from '../harness/stores.js'
import { engineStoreContract } from './engine-store.js'
import { notifierContract } from './notifier.js'
import { rotatorContract } from './rotator.js'
import { storeContract } from './store.js'

for (const named of Object.values(storeHarnesses).flat()) {
  storeContract(named)
  if (named.engine) engineStoreContract(named)
}
for (const named of Object.values(rotatorHarnesses).flat()) rotatorContract(named)
for (const [kind, open] of Object.entries(notifierHarnesses)) notifierContract(kind as NotifierKind, open)
