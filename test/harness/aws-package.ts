import { execFileSync } from 'node:child_process'
import { cp, mkdtemp, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repository } from './repository.js'
import { unzip } from './unzip.js'

/** The sources in a folder of their own: what is built here does not touch what other tests run. */
export async function checkout(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-package-'))
  for (const name of ['functions', 'shared', 'scripts', 'infra', 'serverless.yml', 'package.json', 'tsconfig.json'])
    await cp(join(repository, name), join(folder, name), { recursive: true })
  await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

export const run = (folder: string, command: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): string =>
  execFileSync(command, [...words], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', HOME: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

export const serverless = (folder: string, ...words: string[]): string =>
  run(folder, process.execPath, [join(repository, 'node_modules/serverless/bin/serverless.js'), 'package', ...words])

/** What is in the archive and nothing else, as it stands on Lambda. */
export async function unpacked(zip: string): Promise<string> {
  const task = await mkdtemp(join(tmpdir(), 'keyturn-task-'))
  await unzip(zip, task)
  return task
}
export const handlerName = 'dist/functions/aws/rotate/index.handler'
