import { appendFileSync } from 'node:fs'
import { systemEnv } from '../../shared/core/env.js'
import { withLock } from '../../shared/stores/file/lock.js'

/** Takes the lock again and again and writes down when it has it. */
const [folder = '', log = '', times = '1'] = process.argv.slice(2)
const env = systemEnv({ log: () => {} })
for (let count = 0; count < Number(times); count++) {
  await withLock({ folder, of: 'It' }, env, async () => {
    appendFileSync(log, `begin ${process.pid}\n`)
    await env.sleep(count % 3)
    appendFileSync(log, `end ${process.pid}\n`)
  })
}
