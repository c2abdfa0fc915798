import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../shared/core/env.js'
import type { VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { pathOf } from '../../shared/stores/file/disk.js'
import { writeDocument } from '../../shared/stores/file/document.js'
import { makeFolders } from '../../shared/stores/file/home.js'
import { deriveKeys } from '../../shared/stores/file/keys.js'
import { seal } from '../../shared/stores/file/seal.js'
import { FileStore } from '../../shared/stores/file.js'

export interface SweepCost {
  readonly secrets: number
  readonly ms: number
  readonly msPerSecret: number
  /** After a collection, while the listing is at that place: constant when the two are alike. */
  readonly heapMbAtTenth: number
  readonly heapMbAtEnd: number
}

const secrets = 10_000
const megabyte = 1024 * 1024
const env = systemEnv({ log: () => {} })

/** A store in which nothing is due: what looking costs. The secrets are written past the lock, which would take minutes. */
export async function sweepCost(): Promise<SweepCost> {
  const home = await mkdtemp(join(tmpdir(), 'keyturn-bench-'))
  try {
    await makeFolders(home)
    const keys = deriveKeys(randomBytes(32))
    const now = env.now()
    for (let index = 0; index < secrets; index++) await write(home, keys, `db-${index}`, now)
    const store = new FileStore(home, keys, env)
    const heap: number[] = []
    const list = store.list.bind(store)
    store.list = async function* (filter, failed) {
      let seen = 0
      for await (const state of list(filter, failed)) {
        if (++seen % (secrets / 10) === 0) heap.push(heapNow())
        yield state
      }
    }
    const from = performance.now()
    let actions = 0
    for await (const _ of sweep(depsOf(store))) actions++
    const ms = performance.now() - from
    if (actions > 0) throw new Error(`${actions} actions were due in a store that has nothing to do`)
    const of = (value: number | undefined): number => Number(((value ?? 0) / megabyte).toFixed(1))
    return {
      secrets,
      ms: Math.round(ms),
      msPerSecret: Number((ms / secrets).toFixed(3)),
      heapMbAtTenth: of(heap[0]),
      heapMbAtEnd: of(heap.at(-1)),
    }
  } finally {
    await rm(home, { recursive: true })
  }
}

function heapNow(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

async function write(home: string, keys: ReturnType<typeof deriveKeys>, key: string, now: number): Promise<void> {
  const id = `0${now.toString(36)}-${key}` as VersionId
  const version = {
    id,
    createdAt: now,
    sealed: seal(keys, key, id, new SecretText(`{"engine":"postgres","password":"${key}"}`), env.random),
  }
  const text = writeDocument(keys, {
    keyturn: 1,
    ref: key,
    keyId: keys.id,
    rev: 1,
    current: id,
    previous: null,
    publishedAt: now,
    policy: { 'keyturn-rotator': 'postgres', 'keyturn-every': '90d' },
    journal: { retiring: [], announced: id },
    versions: [version],
  })
  await writeFile(pathOf(home, key), text, { mode: 0o600 })
}

const depsOf = (store: FileStore): Parameters<typeof sweep>[0] => ({
  store,
  loadRotator,
  infer: () => ({}),
  readAdmin: async () => {
    throw new Error('nothing is due')
  },
  configuration: async () => noConfiguration,
  loadNotifier,
  journal: true,
  env,
  audit: { write: async () => undefined },
  holder: 'bench',
  leaseMs: 60_000,
  shortGrace: false,
})
