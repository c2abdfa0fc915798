// Makes one file per function (of all clouds, or of those that are named), with one cloud's SDK and only the rotators that KEYTURN_ROTATORS names (default: postgres). The same sources give the
// same bytes: nothing in them comes from the machine or the time.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { zipSync } from 'fflate'

const framework = '@google-cloud/functions-framework'
const functions = [
  { cloud: 'aws', name: 'rotate' },
  { cloud: 'aws', name: 'jwks' },
  // These announce, so that they hold every notifier. The framework that runs them is not in the bundle: the package that is deployed declares it.
  ...['rotate', 'sweep', 'work', 'invoke'].map((name) => ({ cloud: 'gcp', name, notifiers: true, framework })),
  { cloud: 'gcp', name: 'jwks', framework },
  // One archive for all of them, as the host loads one program. The library is in it, and the host puts the other half of that before a program.
  { cloud: 'azure', name: 'app', notifiers: true, host: 'functions/azure/host.json' },
]
/** The SDK of each cloud. In the bundle of another cloud it is an error. */
const sdks = { aws: /node_modules\/(@aws-sdk|@smithy)\//, gcp: /node_modules\/(@google-cloud|google-)/, azure: /node_modules\/@azure\// }

const registries = /\/shared\/(rotators|notifiers|stores|kubernetes\/platforms)\/registry\.ts$/
const rotatorRegistry = 'shared/rotators/registry.ts'

/** Asks `which` what becomes of each lazy import of a registry. Static imports are not asked about. */
const lazyImports = (which) => ({
  name: 'lazy-imports',
  setup(building) {
    building.onResolve({ filter: /^\./ }, ({ kind, path, importer }) => {
      const [, room] = registries.exec(importer.replaceAll('\\', '/')) ?? []
      return kind === 'dynamic-import' && room !== undefined ? which(room, path) : undefined
    })
    building.onLoad({ filter: /^/, namespace: 'left-out' }, () => ({
      contents: 'throw new Error("This part was left out of the bundle.")',
    }))
  },
})
const external = (_, path) => ({ path, external: true })
/** Keeps, of each chosen row, the entry file with the row's name and the parts in the folder of that name. Their own imports follow. */
const leaveOut = (chosen) => (room, path) =>
  (chosen[room] ?? []).some((name) => path === `./${name}.js` || path.startsWith(`./${name}/`))
    ? undefined
    : { path: 'part', namespace: 'left-out' }

/** The module of a registry, none of whose rows is loaded. */
async function readRegistry(file) {
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    plugins: [lazyImports(external)],
  })
  const code = Buffer.from(outputFiles[0].contents).toString('base64')
  return import(`data:text/javascript;base64,${code}`)
}
/** The names of the rows that a bundle of a cloud may hold: those that carry the SDK of no other one. */
const fittingOf = (rows, cloud) => Object.keys(rows).filter((name) => [undefined, cloud].includes(rows[name].cloud))

/** Throws for a name that no row offers. */
function chooseRotators(offered, text = process.env.KEYTURN_ROTATORS) {
  const chosen = (text || 'postgres').split(',').map((name) => name.trim())
  const unknown = chosen.filter((name) => !offered.includes(name))
  if (unknown.length > 0) throw new Error(`KEYTURN_ROTATORS names ${unknown.join(', ')}; known are ${offered.join(', ')}`)
  return chosen
}

/** CommonJS: it starts faster than ESM. Module fields first: they shake better. */
async function bundle({ cloud, name, notifiers: announces, framework: runner, host }, folder, rotators) {
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
    external: ['pg-native', 'pg-cloudflare', ...(runner ? [runner] : []), ...(host ? ['@azure/functions-core'] : [])],
    sourcemap: 'external',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    // A text, because esbuild would make a module of its own for a list, which every other module would call.
    define: {
      KEYTURN_BUNDLED_ROTATORS: JSON.stringify(rotators.join()),
      KEYTURN_BUNDLED_CLOUD: JSON.stringify(cloud),
      // Azure's client of storage makes a require of its own from it, which CommonJS does not have.
      ...(host ? { 'import.meta.url': 'keyturnFile' } : {}),
    },
    ...(host ? { banner: { js: 'const keyturnFile = require("node:url").pathToFileURL(__filename).href;' } } : {}),
    // Where a function announces nothing, the bundle holds only the form of a notifier's settings, which reading a configuration needs.
    plugins: [
      lazyImports(
        leaveOut({
          rotators,
          notifiers: announces ? fittingOf(notifiers, cloud) : [],
          'kubernetes/platforms': fittingOf(platforms, cloud),
        }),
      ),
    ],
  })
  const inputs = Object.keys(metafile.inputs)
  const otherSdks = Object.entries(sdks).filter(([other]) => other !== cloud)
  const foreign = otherSdks.flatMap(([, form]) => inputs.filter((input) => form.test(input)))
  const stores = inputs.filter((input) => /^shared\/stores\//.test(input) && !input.startsWith(storeOf[cloud]))
  const wrong = [...foreign, ...stores]
  if (wrong.length > 0) throw new Error(`functions/${cloud}/${name} would carry what it must not: ${wrong.slice(0, 5).join(', ')}`)
  const rotates = inputs.includes(rotatorRegistry)
  const missing = rotates ? rotators.filter((kind) => !inputs.includes(`shared/rotators/${kind}.ts`)) : []
  if (missing.length > 0) throw new Error(`functions/${cloud}/${name} lacks the entry file of ${missing.join(', ')}`)
  return { file: outfile, bytes: statSync(outfile).size, rotates }
}
const storeOf = {
  aws: 'shared/stores/aws-secrets-manager',
  gcp: 'shared/stores/gcp-secret-manager',
  azure: 'shared/stores/azure-key-vault',
}

/** The archive that is deployed: the bundle, and a package that declares what runs it, or the settings of the host. Times are fixed, so that the same sources give the same bytes. */
function writeArchive({ cloud, name, framework: runner, host }, file) {
  const { version, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  const manifest = {
    name: `keyturn-${name}`,
    version,
    private: true,
    main: 'index.js',
    engines: { node: '>=20' },
    ...(runner ? { dependencies: { [runner]: devDependencies[runner] } } : {}),
  }
  const entries = {
    ...(host ? { 'host.json': readFileSync(host) } : {}),
    'index.js': readFileSync(file),
    'package.json': Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`),
  }
  const options = { level: 9, mtime: new Date(1980, 0, 1) } // in local time, as the format has it
  writeFileSync(`dist/functions/${cloud}/${name}.zip`, zipSync(entries, options))
}

/** Which rotators are in the archives of a cloud, for whoever deploys them. */
const writeRotators = (cloud, rotators) => writeFileSync(`dist/functions/${cloud}/rotators.json`, `${JSON.stringify(rotators)}\n`)

const sizeOf = ({ cloud, name }, rotators, { file, bytes }) =>
  `${cloud}/${name}  ${rotators.join(',')}: ${bytes} bytes, packed ${gzipSync(readFileSync(file), { level: 9 }).length}`

const { offeredKinds: offered, rotators: rotatorRows } = await readRegistry(rotatorRegistry)
const { notifiers } = await readRegistry('shared/notifiers/registry.ts')
const { platforms } = await readRegistry('shared/kubernetes/platforms/registry.ts')
const chosen = chooseRotators(offered)
const rotating = []
const archived = []
const clouds = process.argv.slice(2).filter((word) => !word.startsWith('--'))
for (const one of functions.filter(({ cloud }) => clouds.length === 0 || clouds.includes(cloud))) {
  const made = await bundle(one, 'dist/functions', chosen)
  if ((one.framework || one.host) && process.argv.includes('--zip')) {
    writeArchive(one, made.file)
    archived.push(one.cloud)
  }
  if (made.rotates) rotating.push(one)
  console.log(sizeOf(one, chosen, made))
}
if (process.argv.includes('--zip')) for (const cloud of new Set(archived)) writeRotators(cloud, chosen)
/** Sizes with each rotator alone, and with all of them, as far as its cloud may have them. */
if (process.argv.includes('--sizes')) {
  const trial = mkdtempSync(join(tmpdir(), 'keyturn-sizes-'))
  for (const one of rotating) {
    const fitting = offered.filter((kind) => fittingOf(rotatorRows, one.cloud).includes(kind))
    const others = [...fitting.map((kind) => [kind]), fitting].filter((rotators) => `${rotators}` !== `${chosen}`)
    for (const rotators of others) console.log(sizeOf(one, rotators, await bundle(one, trial, rotators)))
  }
  rmSync(trial, { recursive: true })
}
