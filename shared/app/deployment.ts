import { copyFile, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { diskCodeOf, onDisk } from '../core/disk-error.js'
import { RotationError } from '../core/errors.js'
import type { Built, Copied, DeployedSecret, Deployment } from '../core/ports/deployment.js'
import type { Env } from '../core/ports/env.js'
import { parseParts, partsKind } from '../lifecycle/secret/parts/policy.js'

/**
 * Writes a folder that deploys: the files of the deployment, and what is copied from the installation. The folder is there as a whole, or not at all. Resolves
 * to the paths in it. exists for a folder that has something in it; bad_config where the installation lacks what is copied, or the rotator of a secret.
 */
export async function writeDeployment(
  deployment: Deployment,
  folder: string,
  installation: string,
  { random }: Env,
): Promise<readonly string[]> {
  const { files, copied, built, secrets } = deployment
  const place = await placeOf(folder)
  await assertRotators(secrets, built, installation)
  const copies = (await Promise.all(copied.map((one) => copiesOf(one, built, installation)))).flat()
  const draft = `${place}.${Buffer.from(random(4)).toString('hex')}.new`
  try {
    await onDisk({ path: folder, tried: 'made', field: 'folder' }, async () => {
      for (const [path, text] of Object.entries(files)) await fill(join(draft, path), (to) => writeFile(to, text))
      for (const { from, to } of copies) await fill(join(draft, to), (path) => copyFile(from, path))
      await rename(draft, place) // over an empty folder, and over nothing else
    })
  } catch (cause) {
    throw ['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(diskCodeOf(cause) ?? '') ? takenError(folder) : cause
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return [...Object.keys(files), ...copies.map(({ to }) => to)].sort()
}

async function fill(path: string, write: (path: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await write(path)
}

/** The names in a folder; undefined where there is none. */
async function namesIn(path: string, field?: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(path)
  } catch (cause) {
    if (diskCodeOf(cause) === 'ENOENT') return undefined
    return onDisk({ path, tried: 'read', ...(field === undefined ? {} : { field }) }, () => Promise.reject(cause))
  }
}

/** The path without links, dots and a slash at its end. exists where something is in it; bad_event for the folder of the shell. */
async function placeOf(folder: string): Promise<string> {
  const names = await namesIn(folder, 'folder')
  if (names === undefined) return resolve(folder)
  if (names.length > 0) throw takenError(folder)
  const place = await realpath(folder)
  if (place !== (await realpath('.'))) return place
  throw new RotationError('bad_event', `${folder} is the folder of this shell, which cannot be replaced; nothing was written.`, {
    field: 'folder',
    next: 'Name a folder in it with --folder.',
  })
}
const takenError = (folder: string): RotationError =>
  new RotationError('exists', `${folder} has something in it; nothing was written.`, {
    field: 'folder',
    next: 'Name another folder with --folder. To renew the module and the archives of a folder, write a new one and copy them from it.',
  })

async function copiesOf({ from, to, ending }: Copied, built: Built, installation: string) {
  const names = ((await namesIn(join(installation, from))) ?? []).filter((name) => name.endsWith(ending))
  if (names.length === 0) throw notBuiltError(`There is no *${ending} in ${from} of this installation.`, built, [])
  return names.map((name) => ({ from: join(installation, from, name), to: `${to}/${name}` }))
}

async function assertRotators(secrets: readonly DeployedSecret[], built: Built, installation: string): Promise<void> {
  const wanted = [...new Set(secrets.flatMap(kindsOf))].sort()
  const there = await rotatorsIn(join(installation, built.rotatorsFile))
  if (there === undefined) throw notBuiltError('The functions were not built in this installation.', built, wanted)
  const missing = wanted.filter((kind) => !there.includes(kind))
  if (missing.length === 0) return
  throw notBuiltError(`The functions of this installation were built without ${missing.join(' and ')}.`, built, [...there, ...missing])
}

/** The rotators that a policy names. Of a secret that names none only its value says it, which nobody has read. */
function kindsOf({ policy }: DeployedSecret): readonly string[] {
  const { 'keyturn-rotator': kind, 'keyturn-parts': parts } = policy
  if (parts !== undefined) return parseParts(parts).map(([, one]) => one)
  return kind === undefined || kind === partsKind ? [] : [kind]
}

async function rotatorsIn(path: string): Promise<readonly string[] | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as readonly string[]
  } catch (cause) {
    if (diskCodeOf(cause) === 'ENOENT') return undefined
    return onDisk({ path, tried: 'read' }, () => Promise.reject(cause))
  }
}

function notBuiltError(why: string, { command }: Built, rotators: readonly string[]): RotationError {
  const words = rotators.length === 0 ? command : `KEYTURN_ROTATORS=${rotators.join(',')} ${command}`
  return new RotationError('bad_config', why, {
    field: 'functions',
    next: `Run ${words} in the folder of Keyturn, then the same command again.`,
  })
}
