import type { NotifierKind } from '../../shared/notifiers/registry.js'
import { notifierHarnesses } from '../harness/notifiers.js'
import { rotatorHarnesses } from '../harness/rotators.js'
import { storeHarnesses } from '../harness/stores.js'
import { engineStoreContract } from './engine-store.js'
import { notifierContract } from './notifier.js'
import { rotatorContract } from './rotator.js'
import { storeContract } from './store.js'
import { isMemory } from './where.js'

const isElsewhere = (entry: readonly [string, unknown]): boolean => !isMemory(entry)

// What is only in memory: memory.test.ts.
for (const [, harnesses] of Object.entries(storeHarnesses).filter(isElsewhere))
  for (const named of harnesses) {
    storeContract(named)
    if (named.engine) engineStoreContract(named)
  }
for (const [, harnesses] of Object.entries(rotatorHarnesses).filter(isElsewhere)) for (const named of harnesses) rotatorContract(named)
for (const [kind, open] of Object.entries(notifierHarnesses)) notifierContract(kind as NotifierKind, open)
