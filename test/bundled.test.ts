import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { build } from 'esbuild'
import { isBundled } from '../shared/core/bundled.js'
import type * as Platforms from '../shared/kubernetes/platforms/registry.js'
import type * as Notifiers from '../shared/notifiers/registry.js'

const own = {
  aws: { notifiers: [], platforms: [] },
  gcp: { notifiers: ['pubsub'], platforms: ['google'] },
  azure: { notifiers: ['event-grid'], platforms: ['azure'] },
} as const
const clouds = Object.keys(own) as (keyof typeof own)[]

describe('a bundle for the functions of one cloud', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-bundled-'))
  })
  after(() => rm(folder, { recursive: true }))
  /** The registry as a bundle has it, with everything that it loads. */
  async function bundled<T>(file: string, cloud: string): Promise<T> {
    const outfile = join(folder, `${cloud}-${file.replaceAll('/', '-')}.cjs`)
    const define = { KEYTURN_BUNDLED_CLOUD: JSON.stringify(cloud) }
    const mainFields = ['module', 'main'] // as scripts/functions.mjs has them
    await build({ entryPoints: [file], outfile, define, mainFields, bundle: true, platform: 'node', format: 'cjs', logLevel: 'silent' })
    return createRequire(import.meta.url)(outfile) as T
  }

  for (const cloud of clouds) {
    it(`${cloud}: tells consumers of the kinds that carry no SDK or its own, and says of the others where to tell them`, async () => {
      const { notifiers, loadNotifier } = await bundled<typeof Notifiers>('shared/notifiers/registry.ts', cloud)
      const told: string[] = []
      for (const [kind, row] of Object.entries(notifiers)) {
        const isRefused = await loadNotifier(kind).then(
          (notifier) => assert.equal(notifier.kind, kind) ?? false,
          (cause: { code?: string; message?: string }) => {
            assert.equal(cause.code, 'bad_config')
            assert.match(cause.message ?? '', new RegExp(`nothing of ${row.cloud}, so it cannot tell consumers of kind ${kind}`))
            return true
          },
        )
        if (row.cloud !== undefined && !isRefused) told.push(kind)
      }
      assert.deepEqual(told, own[cloud].notifiers)
    })

    it(`${cloud}: reaches clusters by the credentials of its own platform alone`, async () => {
      const { platformNames, loadPlatformToken } = await bundled<typeof Platforms>('shared/kubernetes/platforms/registry.ts', cloud)
      const loaded: string[] = []
      for (const name of platformNames)
        await loadPlatformToken(name, 'shop').then(
          () => loaded.push(name),
          (cause: { code?: string; field?: string }) =>
            assert.deepEqual([cause.code, cause.field], ['bad_config', 'clusters.shop.auth'], String(cause)),
        )
      assert.deepEqual(loaded, own[cloud].platforms)
    })
  }

  it('what is no bundle holds everything', () => assert.ok(isBundled('gcp') && isBundled('aws') && isBundled(undefined)))
})
