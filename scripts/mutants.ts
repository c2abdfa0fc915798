import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { picked } from '../test/crash/sample.js'
import { type Mutant, mutants } from './mutants/list.js'

/**
 * Breaks a copy on purpose, one rule at a time; each mutant must turn a test red. `-- --json` ends with one object on one line. First the unchanged copy
 * must be green; `--seen-green` says that somebody has just seen that. `--every N` draws one of N, by KEYTURN_SEED.
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    'seen-green': { type: 'boolean', default: false },
    every: { type: 'string', default: '1' },
  },
})
const chosen = mutants.filter((_, index) => picked(index, Number(values.every)))
const copied = ['package.json', 'package-lock.json', 'tsconfig.json', 'shared', 'cli', 'functions', 'scripts', 'test']

async function copyOfProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-mutant-'))
  for (const name of copied) await cp(name, join(folder, name), { recursive: true, filter: (path) => !path.includes('node_modules') })
  await symlink(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** Applies a mutant. A text that does not occur exactly once is an error, not a survivor. */
async function mutate(folder: string, { edits, name }: Mutant): Promise<void> {
  for (const { file, from, to } of edits) {
    const text = await readFile(join(folder, file), 'utf8')
    const times = text.split(from).length - 1
    if (times !== 1) throw new Error(`Mutant "${name}": its text occurs ${times} times in ${file}.`)
    await writeFile(
      join(folder, file),
      text.replace(from, () => to),
    )
  }
}

/** The name of the test file that turned red; undefined when all stayed green. */
async function firstRed(folder: string, tests: readonly string[], env = process.env): Promise<string | undefined> {
  for (const test of tests) {
    const outfile = join(folder, 'dist/test', test.replace(/\.ts$/, '.js'))
    await build({
      entryPoints: [join(folder, 'test', test)],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      logLevel: 'error',
    })
    if (!(await staysGreen(folder, outfile, env))) return test
  }
  return undefined
}

/** Tests that stop the servers they started only when they run to their end. */
const startsServers = /test\/(e2e|contract\/all)/

/** Stops at the first red test: the rest of the file adds nothing. */
async function staysGreen(folder: string, file: string, { NODE_TEST_CONTEXT: _, ...env }: NodeJS.ProcessEnv): Promise<boolean> {
  const child = spawn(process.execPath, ['--test-reporter=tap', file], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'], env })
  let green = true
  for await (const line of createInterface({ input: child.stdout })) {
    if (!/^ *not ok /.test(line)) continue
    green = false
    if (!startsServers.test(file)) break
  }
  if (!green) child.kill('SIGTERM') // already gone where it ran to its end
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return green && child.exitCode === 0
}

/** A red test proves something about a mutant only if the unchanged copy is green. */
async function mustStartGreen(): Promise<void> {
  const folder = await copyOfProject()
  try {
    const red = await firstRed(folder, [...new Set(chosen.flatMap(({ tests }) => tests))])
    if (red) throw new Error(`${red} is red even without a mutant.`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** One broken promise of a matrix is enough. The seed draws mutants; tests draw the points that they draw by themselves. */
const { KEYTURN_SEED: _, ...environment } = process.env
const forMutants = { ...environment, KEYTURN_FIRST_BROKEN: '1' }

if (!values['seen-green']) await mustStartGreen()
let killed = 0
for (const mutant of chosen) {
  const folder = await copyOfProject()
  try {
    await mutate(folder, mutant)
    const red = await firstRed(folder, mutant.tests, forMutants)
    if (red) killed++
    console.log(`${red ? 'red     ' : 'SURVIVED'}  ${mutant.name}${red ? ` (${red})` : ''}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
console.log(
  values.json
    ? JSON.stringify({ mutants: chosen.length, killed, known: mutants.length })
    : `${killed} of ${chosen.length} mutants turned a test red`,
)
process.exitCode = killed === chosen.length && killed > 0 ? 0 : 1
