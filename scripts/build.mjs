// One build for everything that runs: the CLI, the scripts and the tests. Packages stay outside (they are in node_modules); rotators and stores
// become chunks of their own, so that a command loads only the drivers that it uses.
import { rmSync } from 'node:fs'
import { build } from 'esbuild'
import { globSync } from './files.mjs'

rmSync('dist', { recursive: true, force: true })
await build({
  entryPoints: [
    'cli/main.ts',
    ...globSync('scripts', '.ts'),
    ...globSync('bench', '.ts'),
    ...globSync('test', '.test.ts'),
    ...globSync('test/programs', '.ts'),
  ],
  outbase: '.',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: 'linked',
  logLevel: 'warning',
})
