import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** What the vendor's client costs in a bundle. */
export interface Bundled {
  readonly bytes: number
  readonly packedBytes: number
  /** CPU time of a process until the bundle is loaded and a client is made. */
  readonly cpuMs: number
}

const store = 'shared/stores/gcp-secret-manager.ts'
const client = '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
/** What the store imports, and what the vendor's pages import. */
const ways = { deepImport: client, mainEntry: '@google-cloud/secret-manager' } as const
type Way = keyof typeof ways
export const wayNames: readonly Way[] = ['deepImport', 'mainEntry']

/** As the functions are bundled: minified CommonJS, which starts faster than ESM. The client is opened as the store opens it. */
async function bundle(way: Way, folder: string): Promise<{ readonly file: string } & Omit<Bundled, 'cpuMs'>> {
  const file = join(folder, `${way}.cjs`)
  const { outputFiles } = await build({
    stdin: {
      contents: `export { GcpSecretManager } from './${store}'; export { openClient } from './shared/stores/gcp-secret-manager/client.ts'`,
      resolveDir: process.cwd(),
    },
    outfile: file,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    mainFields: ['module', 'main'],
    legalComments: 'none',
    logLevel: 'error',
    alias: { [client]: ways[way] },
    write: false,
  })
  const [{ contents } = { contents: new Uint8Array() }] = outputFiles
  await writeFile(file, contents)
  return { file, bytes: contents.length, packedBytes: gzipSync(contents, { level: 9 }).length }
}

const probe = `
const before = process.cpuUsage()
const { openClient } = require(process.argv[1])
openClient(undefined)
const { user, system } = process.cpuUsage(before)
console.log((user + system) / 1000)
process.exit()`

async function cpuMsOf(file: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', probe, file], {
    env: { ...process.env, METADATA_SERVER_DETECTION: 'none' },
  })
  return Number(stdout)
}

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0

/** Bundles the store in both ways and loads them in processes of their own, in turns. */
export async function measureBundles(turns = 7): Promise<Readonly<Record<Way, Bundled>>> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-bundle-'))
  try {
    const made = { deepImport: await bundle('deepImport', folder), mainEntry: await bundle('mainEntry', folder) }
    const times: Record<Way, number[]> = { deepImport: [], mainEntry: [] }
    for (let turn = 0; turn < turns; turn++) for (const way of wayNames) times[way].push(await cpuMsOf(made[way].file))
    const of = (way: Way): Bundled => {
      const { bytes, packedBytes } = made[way]
      return { bytes, packedBytes, cpuMs: Math.round(median(times[way])) }
    }
    return { deepImport: of('deepImport'), mainEntry: of('mainEntry') }
  } finally {
    await rm(folder, { recursive: true })
  }
}
