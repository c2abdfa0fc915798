import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../programs/told-to-end.js', import.meta.url))

it('a process that is told to end while its first invocation begins hears it', async () => {
  const ended: unknown[] = await once(fork(program), 'exit')
  assert.deepEqual(ended, [0, null])
})
