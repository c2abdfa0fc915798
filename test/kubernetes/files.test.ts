import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { readText } from '../../shared/kubernetes/files.js'
import { whyMissing } from '../harness/programs.js'

it('a pipe instead of a file of a cluster is refused, and not waited for', { skip: whyMissing('mkfifo') }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-cluster-'))
  const path = join(folder, 'token')
  execFileSync('mkfifo', [path])
  await assert.rejects(readText('east', 'tokenFile', path), {
    code: 'bad_config',
    field: 'clusters.east.tokenFile',
    message: `The file ${path} of cluster east could not be read (it is not a regular file).`,
  })
  await rm(folder, { recursive: true })
})
