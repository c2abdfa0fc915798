// Builds everything that runs: the CLI, and apart from it the scripts and the tests. Packages stay outside (they are in node_modules); rotators and
// stores become chunks of their own, so that a command loads only the drivers that it uses.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import { globSync } from './files.mjs'

const sources = ['bench', 'cli', 'functions', 'scripts', 'shared', 'test']
/** Written last: the build holds every source that is older than this file. */
const stamp = 'dist/.built'
/** One file for each run of the tests, by its process id. */
const runs = 'dist/.tests'

/** Whether dist/ stays. npm calls `prepare` for `npx keyturn`, too: it must not rebuild what is up to date, nor replace what running tests use. */
function mayStay() {
  if (!existsSync('dist/cli/main.js')) return false
  const builtAt = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (['package.json', ...sources].every((path) => isOlder(path, builtAt))) return true
  const ids = existsSync(runs) ? readdirSync(runs) : []
  for (const id of ids) if (!isAlive(id)) rmSync(join(runs, id), { force: true }) // of a run that was killed
  return ids.some(isAlive)
}
/** Whether the file, or every file below the folder, is older. A folder itself becomes newer when something is removed from it. */
function isOlder(path, at) {
  const found = statSync(path)
  if (found.mtimeMs >= at) return false
  return !found.isDirectory() || readdirSync(path).every((name) => name === 'node_modules' || isOlder(join(path, name), at))
}
function isAlive(id) {
  try {
    process.kill(Number(id), 0)
    return true
  } catch (cause) {
    return cause.code === 'EPERM'
  }
}

/**
 * Replaces a file at once: a reader sees the old file or the new one. A file that would not change stays. Two builds at once write the same, each under
 * a name of its own.
 */
function write({ path, contents: bytes }) {
  const contents = Buffer.from(bytes)
  if (existsSync(path) && readFileSync(path).equals(contents)) return
  mkdirSync(dirname(path), { recursive: true })
  const isProgram = contents.subarray(0, 2).toString() === '#!'
  const draft = `${path}.${process.pid}.new`
  writeFileSync(draft, contents, { mode: isProgram ? 0o755 : 0o644 })
  renameSync(draft, path)
}

async function bundle(entryPoints, chunks) {
  const { outputFiles } = await build({
    entryPoints,
    outbase: '.',
    outdir: 'dist',
    chunkNames: `${chunks}/[name]-[hash]`,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: 'linked',
    logLevel: 'warning',
    write: false,
  })
  return outputFiles
}

if (!process.argv.includes('--prepare') || !mayStay()) {
  const readAt = new Date() // what is written to a source from now on is not in this build
  const others = [
    ...globSync('scripts', '.ts'),
    ...globSync('bench', '.ts'),
    ...globSync('test', '.test.ts'),
    ...globSync('test/programs', '.ts'),
  ]
  // What several entry points share is cut where any two of them differ. With the tests beside it the CLI would load twice as many files.
  const outputFiles = (await Promise.all([bundle(['cli/main.ts'], 'chunks'), bundle(others, 'parts')])).flat()
  for (const file of outputFiles) write(file)
  const made = new Set(outputFiles.map(({ path }) => path))
  for (const folder of ['bench', 'chunks', 'cli', 'parts', 'scripts', 'test'])
    for (const path of globSync(`${process.cwd()}/dist/${folder}`, ''))
      if (!made.has(path) && !path.endsWith('.new')) rmSync(path, { force: true })
  writeFileSync(stamp, '')
  utimesSync(stamp, readAt, readAt)
}
