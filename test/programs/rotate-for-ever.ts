import { join } from 'node:path'
import { auditSink } from '../../shared/app/audit-file.js'
import { systemEnv } from '../../shared/core/env.js'
import type { RotationRequest } from '../../shared/core/ports/words.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { deriveKeys } from '../../shared/stores/file/keys.js'
import { FileStore } from '../../shared/stores/file.js'
import { fileTarget } from './file-target.js'

/** Finishes what is open, says so, and then rotates without pause until it is killed. */
const [home = '', key = ''] = process.argv.slice(2)
const env = systemEnv({ log: () => {} })
const rotator = fileTarget(join(home, 'target'))
const deps: Deps = {
  store: new FileStore(home, deriveKeys(Buffer.from(key, 'hex')), env),
  loadRotator: async () => rotator,
  infer: () => ({}),
  configuration: async () => noConfiguration,
  loadNotifier,
  journal: true,
  readAdmin: async () => {
    throw new Error('no administrator here')
  },
  env,
  audit: auditSink(join(home, 'audit.jsonl'), env),
  holder: `process-${process.pid}`,
  leaseMs: 15 * 60_000,
  shortGrace: true,
}
const run = (kind: RotationRequest['kind']) => rotate(deps, { kind, ref: 'file:db', at: env.now() })

await run('resume')
process.send?.('resumed')
for (;;) {
  await run('rotate')
  process.send?.('rotated')
  await env.sleep(1)
}
