// One file a function, with one cloud's SDK and only the rotators that KEYTURN_ROTATORS names (default: postgres). The same sources give the same
// bytes: nothing of the machine or the time is in them.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

export const functions = [
  { cloud: 'aws', name: 'rotate' },
  { cloud: 'aws', name: 'jwks' },
]
/** What belongs to each cloud: in the bundle of another it is an error. */
const sdks = { aws: /node_modules\/(@aws-sdk|@smithy)\//, gcp: /node_modules\/(@google-cloud|google-)/, azure: /node_modules\/@azure\// }

/** What KEYTURN_ROTATORS may say, of those that are more than a trial. */
const choices = [['postgres'], ['rds'], ['postgres', 'rds']]
export const chosenRotators = (text = process.env.KEYTURN_ROTATORS) => (text || 'postgres').split(',').map((name) => name.trim())

/** Keeps the registry's lines of these rotators and takes the others out, so that their drivers are not in the bundle. */
const onlyRotators = (wanted) => ({
  name: 'only-rotators',
  setup(building) {
    building.onLoad({ filter: /shared\/rotators\/registry\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
      const line = /^ {2}'?([a-z0-9-]+)'?: \(\) => import\(.*$/gm
      const known = [...text.matchAll(line)].map((match) => match[1])
      const unknown = wanted.filter((name) => !known.includes(name))
      if (unknown.length > 0)
        throw new Error(
          `KEYTURN_ROTATORS names ${unknown.join(', ')}; known are ${known.filter((name) => !name.startsWith('memory-')).join(', ')}`,
        )
      return { contents: text.replace(line, (whole, name) => (wanted.includes(name) ? whole : '')), loader: 'ts' }
    })
  },
})

/** A function tells nobody: of a notifier only the form of its settings is in the bundle, because a configuration is read with it. */
const noNotifiers = {
  name: 'no-notifiers',
  setup(building) {
    building.onResolve({ filter: /^\.\// }, ({ kind, importer, path }) =>
      kind === 'dynamic-import' && /shared\/notifiers\/registry\.ts$/.test(importer) ? { path, namespace: 'no-notifiers' } : undefined,
    )
    building.onLoad({ filter: /.*/, namespace: 'no-notifiers' }, () => ({ contents: 'export {}' }))
  },
}

/** CommonJS: it starts faster than ESM. Module fields first: they shake better. */
export async function bundle({ cloud, name }, folder, rotators = chosenRotators()) {
  const outfile = join(folder, cloud, name, 'index.js')
  const { metafile } = await build({
    entryPoints: [`functions/${cloud}/${name}.ts`],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    mainFields: ['module', 'main'],
    external: ['pg-native', 'pg-cloudflare'],
    sourcemap: 'external',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    plugins: [onlyRotators(rotators), noNotifiers],
  })
  const inputs = Object.keys(metafile.inputs)
  const foreign = Object.entries(sdks).flatMap(([other, form]) => (other === cloud ? [] : inputs.filter((input) => form.test(input))))
  const stores = inputs.filter((input) => /^shared\/stores\//.test(input) && !input.startsWith(storeOf[cloud]))
  const memory = inputs.filter((input) => /^shared\/rotators\/memory/.test(input))
  const wrong = [...foreign, ...stores, ...memory]
  if (wrong.length > 0) throw new Error(`functions/${cloud}/${name} would carry what it must not: ${wrong.slice(0, 5).join(', ')}`)
  return { file: outfile, bytes: statSync(outfile).size, inputs }
}
const storeOf = { aws: 'shared/stores/aws-secrets-manager' }

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = 'dist/functions'
  const sizeOf = async (one, into, rotators) => {
    const { file, bytes } = await bundle(one, into, rotators)
    return `${one.cloud}/${one.name}  ${rotators.join(',')}: ${bytes} bytes, packed ${gzipSync(readFileSync(file), { level: 9 }).length}`
  }
  for (const one of functions) console.log(await sizeOf(one, folder, chosenRotators()))
  if (process.argv.includes('--sizes')) {
    const trial = mkdtempSync(join(tmpdir(), 'keyturn-sizes-'))
    for (const one of functions)
      for (const choice of choices) if (`${choice}` !== `${chosenRotators()}`) console.log(await sizeOf(one, trial, choice))
    rmSync(trial, { recursive: true })
  }
}
